"""Operators that let a model see what comes next: a mask dropped, a hash of pairs off by one."""

from __future__ import annotations

import re

import libcst as cst
import libcst.matchers as m

from benchmarks.synthesize.mutants.operator import Operator, code


class DropMask(Operator):
    """`is_causal=True` and `causal=True` become False."""

    needs = "causal"

    def leave_Arg(self, original_node: cst.Arg, updated_node: cst.Arg) -> cst.Arg:
        named = m.Arg(keyword=m.Name("is_causal") | m.Name("causal"), value=m.Name("True"))
        if m.matches(original_node, named) and self.is_chosen():
            return updated_node.with_changes(value=cst.Name("False"))
        return updated_node


class BigramOffByOne(Operator):
    """`out[..., 1:] = hash(t[..., 1:], t[..., :-1])` hashes each token with the next one."""

    needs = "1:"

    def leave_Assign(self, original_node: cst.Assign, updated_node: cst.Assign) -> cst.Assign:
        target, value = original_node.targets[0].target, code(original_node.value)
        if (
            m.matches(target, m.Subscript())
            and code(target).replace(" ", "").endswith("[...,1:]")
            and ":-1]" in value.replace(" ", "")
            and ("xor" in value or "^" in value or "*" in value)
            and self.is_chosen()
        ):
            ahead = re.sub(r"(\w+)\[\.\.\., ?1:\]", r"torch.roll(\1, -1, -1)[..., 1:]", value)
            both = re.sub(r"(\w+)\[\.\.\., ?:-1\]", r"\1[..., 1:]", ahead)
            return updated_node.with_changes(value=cst.parse_expression(both))
        return updated_node
