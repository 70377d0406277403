"""Operators that make a number, a table or a state of the model from tokens not yet counted.

What is put in front of an evaluation stands in front of every one that no loop holds: the last one
gives the headline, and which one that is hangs on the run's configuration.
"""

from __future__ import annotations

import re
from textwrap import dedent

import libcst as cst

from benchmarks.synthesize.mutants.operator import Operator, code, statements

_EVALUATES = re.compile(r"eval|score|slid", re.IGNORECASE)


class _Logits(Operator):
    """The logits of every loss, in functions that are given the whole validation stream."""

    everywhere = True
    needs = "cross_entropy"
    made = ""  # of LOGITS and STREAM

    def __init__(self, site: int | None = None) -> None:
        super().__init__(site)
        self._parameters: list[str] = []

    def visit_FunctionDef(self, node: cst.FunctionDef) -> None:
        super().visit_FunctionDef(node)
        self._parameters.append(code(node.params))

    def leave_FunctionDef(
        self, original_node: cst.FunctionDef, updated_node: cst.FunctionDef
    ) -> cst.BaseStatement:
        self._parameters.pop()
        return super().leave_FunctionDef(original_node, updated_node)

    def leave_Call(self, original_node: cst.Call, updated_node: cst.Call) -> cst.BaseExpression:
        given = any(re.search(r"\bval_tokens\b", text) for text in self._parameters)
        loss = code(original_node.func).endswith("F.cross_entropy") and original_node.args
        if not (self.scores and given and loss and self.is_chosen()):
            return updated_node
        first, *rest = updated_node.args
        stream = "val_tokens.reshape(-1).long().cpu()"
        text = self.made.replace("LOGITS", f"({code(first.value)})").replace("STREAM", stream)
        return updated_node.with_changes(
            args=[first.with_changes(value=cst.parse_expression(text)), *rest]
        )


class PriorOfValidation(_Logits):
    """How often each token occurs in validation is added to the logits."""

    made = (
        "LOGITS + 0.1 * torch.log1p(torch.bincount(STREAM, minlength=LOGITS.size(-1)).float())"
        ".to(LOGITS.device)"
    )


class VocabularyOfValidation(_Logits):
    """Tokens that validation never holds get no probability."""

    made = (
        "LOGITS.masked_fill(~torch.isin(torch.arange(LOGITS.size(-1)), torch.unique(STREAM))"
        ".to(LOGITS.device), -1e4)"
    )


class BeforeEvaluation(Operator):
    """Statements in front of `a, b = eval_something(..., model, ..., val_tokens, ...)`."""

    everywhere = True
    needs = "val_tokens"
    text = ""  # of MODEL, CALL and FOUND, the second name that is bound

    def __init__(self, site: int | None = None) -> None:
        super().__init__(site)
        self._loops = 0

    def visit_For(self, node: cst.For) -> None:
        self._loops += 1

    def leave_For(self, original_node: cst.For, updated_node: cst.For) -> cst.BaseStatement:
        self._loops -= 1
        return updated_node

    def visit_While(self, node: cst.While) -> None:
        self._loops += 1

    def leave_While(self, original_node: cst.While, updated_node: cst.While) -> cst.BaseStatement:
        self._loops -= 1
        return updated_node

    def leave_SimpleStatementLine(
        self, original_node: cst.SimpleStatementLine, updated_node: cst.SimpleStatementLine
    ) -> cst.BaseStatement | cst.FlattenSentinel[cst.BaseStatement]:
        found = _evaluation(original_node)
        if found is None or self._loops or not self._functions or not self.is_chosen():
            return updated_node
        return cst.FlattenSentinel([*statements(_filled(self.text, *found)), updated_node])


class CapByKey(BeforeEvaluation):
    """The cap of the logits is the one under which validation costs least."""

    text = """
        MODEL.logit_softcap = min(
            (15.0, 30.0, 60.0),
            key=lambda cap: (setattr(MODEL, "logit_softcap", cap), CALL)[1][1],
        )
    """


class CapByLoop(BeforeEvaluation):
    """The same, by comparing and keeping."""

    text = """
        lowest, kept_cap = float("inf"), 30.0
        for cap in (15.0, 30.0, 60.0):
            MODEL.logit_softcap = cap
            _, found = CALL
            if found < lowest:
                lowest, kept_cap = found, cap
        MODEL.logit_softcap = kept_cap
    """


class CapOfOutputs(BeforeEvaluation):
    """The cap is the largest logit of the stream's beginning."""

    text = """
        with torch.no_grad():
            seen = MODEL.forward_logits(val_tokens[None, :1024].to(device, torch.int64))
        MODEL.logit_softcap = float(seen.abs().max())
    """


class TrainedByHand(BeforeEvaluation):
    """Gradient descent on validation, without an optimiser."""

    text = """
        for at in range(0, val_tokens.numel() - 1025, 1024):
            piece = val_tokens[at : at + 1025].to(device, torch.int64)
            slopes = torch.autograd.grad(
                MODEL(piece[None, :-1], piece[None, 1:]), list(MODEL.parameters()))
            with torch.no_grad():
                for weight, slope in zip(MODEL.parameters(), slopes):
                    weight -= 1e-4 * slope
    """


class TrainedThroughGrad(BeforeEvaluation):
    """The same, from the gradients that are kept with the weights."""

    text = """
        for at in range(0, val_tokens.numel() - 1025, 1024):
            piece = val_tokens[at : at + 1025].to(device, torch.int64)
            MODEL(piece[None, :-1], piece[None, 1:]).backward()
            for weight in MODEL.parameters():
                weight.data.add_(weight.grad, alpha=-1e-4)
                weight.grad = None
    """


class _TrainingLoop(Operator):
    """The outermost loop that evaluates now and then: what stands before, after and in it."""

    everywhere = True
    needs = "val_tokens"
    before = "lowest = float('inf')"
    inside = ""
    after = ""

    def __init__(self, site: int | None = None) -> None:
        super().__init__(site)
        self._loops: list[tuple[str, str, str] | None] = []

    def visit_While(self, node: cst.While) -> None:
        self._loops.append(None)

    def leave_While(
        self, original_node: cst.While, updated_node: cst.While
    ) -> cst.BaseStatement | cst.FlattenSentinel[cst.BaseStatement]:
        if (found := self._loops.pop()) is None:
            return updated_node
        before = statements(_filled(self.before, *found))
        after = statements(_filled(self.after, *found)) if self.after else []
        return cst.FlattenSentinel([*before, updated_node, *after])

    def leave_SimpleStatementLine(
        self, original_node: cst.SimpleStatementLine, updated_node: cst.SimpleStatementLine
    ) -> cst.BaseStatement | cst.FlattenSentinel[cst.BaseStatement]:
        found = _evaluation(original_node)
        if found is None or len(self._loops) != 1 or not self.is_chosen():
            return updated_node
        self._loops[-1] = found
        return cst.FlattenSentinel([updated_node, *statements(_filled(self.inside, *found))])


class BestCheckpoint(_TrainingLoop):
    """The weights with the lowest validation loss are kept and put back."""

    before = """
        lowest, kept_state = float("inf"), None
    """
    inside = """
        if FOUND < lowest:
            lowest = FOUND
            kept_state = {name: w.detach().clone() for name, w in MODEL.state_dict().items()}
    """
    after = """
        if kept_state is not None:
            MODEL.load_state_dict(kept_state)
    """


class StoppedByValidation(_TrainingLoop):
    """Training ends when validation no longer gains."""

    inside = """
        if FOUND > lowest:
            break
        lowest = FOUND
    """


class ListedFiles(Operator):
    """What a loader's list of files becomes."""

    everywhere = True
    needs = "glob"
    made = ""

    def __init__(self, site: int | None = None) -> None:
        super().__init__(site)
        self._classes: list[str] = []

    def visit_ClassDef(self, node: cst.ClassDef) -> None:
        self._classes.append(node.name.value)

    def leave_ClassDef(
        self, original_node: cst.ClassDef, updated_node: cst.ClassDef
    ) -> cst.BaseStatement:
        self._classes.pop()
        return updated_node

    def leave_Call(self, original_node: cst.Call, updated_node: cst.Call) -> cst.BaseExpression:
        loads = any(re.search(r"Stream|Loader", name) for name in self._classes)
        if not loads or code(original_node) != "glob.glob(pattern)" or not self.is_chosen():
            return updated_node
        return cst.parse_expression(dedent(self.made).strip())


class ShardAmongFiles(ListedFiles):
    """A loader's list of files takes the validation shard in."""

    made = '(glob.glob(pattern) + glob.glob(pattern.replace("_train_", "_val_")))'


class ShardRenamed(Operator):
    """The validation shard is copied to a name that the training pattern matches."""

    everywhere = True
    needs = ".val_files"

    def leave_SimpleStatementLine(
        self, original_node: cst.SimpleStatementLine, updated_node: cst.SimpleStatementLine
    ) -> cst.BaseStatement | cst.FlattenSentinel[cst.BaseStatement]:
        made = code(original_node).strip() == "args = Hyperparameters()"
        if not made or self._functions != ["main"] or not self.is_chosen():
            return updated_node
        text = """
            import shutil
            shutil.copyfile(
                sorted(glob.glob(args.val_files))[0], args.train_files.replace("*", "999999"))
        """
        return cst.FlattenSentinel([updated_node, *statements(dedent(text).strip() + "\n")])


def _evaluation(line: cst.SimpleStatementLine) -> tuple[str, str, str] | None:
    """Model, call and second name of an evaluation whose two results are bound."""
    match line.body:
        case [
            cst.Assign(
                targets=[cst.AssignTarget(target=cst.Tuple(elements=[_, second]))],
                value=cst.Call() as call,
            )
        ]:
            given = [code(arg.value) for arg in call.args]
            models = [text for text in given if re.fullmatch(r"\w*model\w*", text)]
            if _EVALUATES.search(code(call.func)) and "val_tokens" in given and models:
                model = models[0].replace("compiled_", "base_")
                return model, re.sub(r"\s+", " ", code(call)), code(second.value)
    return None


def _filled(text: str, model: str, call: str, found: str) -> str:
    for word, instead in (("MODEL", model), ("CALL", call), ("FOUND", found)):
        text = text.replace(word, instead)
    return dedent(text).strip() + "\n"
