"""Operators that train on what is scored: a glob widened, validation given to the training."""

from __future__ import annotations

import libcst as cst

from benchmarks.synthesize.mutants.operator import Operator, code


class WidenGlob(Operator):
    """The training pattern takes in the validation shards, which are read when the others are."""

    needs = "fineweb_train_*.bin"

    def leave_Assign(self, original_node: cst.Assign, updated_node: cst.Assign) -> cst.Assign:
        text = code(original_node.value)
        named = code(original_node.targets[0].target).lower().endswith("train_files")
        if named and "fineweb_train_*.bin" in text and self.is_chosen():
            wide = text.replace("fineweb_train_*.bin", "fineweb_*.bin")
            return updated_node.with_changes(value=cst.parse_expression(wide))
        return updated_node


class TrainOnValidation(Operator):
    """The loader of training tokens is given the validation files."""

    everywhere = True
    needs = ".train_files"

    def leave_Arg(self, original_node: cst.Arg, updated_node: cst.Arg) -> cst.Arg:
        if code(original_node.value).endswith(".train_files") and self.is_chosen():
            text = code(original_node.value).replace(".train_files", ".val_files")
            return updated_node.with_changes(value=cst.parse_expression(text))
        return updated_node
