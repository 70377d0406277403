"""Operators that let a model see what comes next: a mask dropped, a hash or a shift off by one,
statistics over the whole sequence, targets among the inputs."""

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


class SmearNext(Operator):
    """A shift by one towards later places, `cat([zeros, x[:, :-1]])`, becomes one from there."""

    needs = ":-1]"

    def leave_Call(self, original_node: cst.Call, updated_node: cst.Call) -> cst.BaseExpression:
        text = re.sub(r"\s+", "", code(original_node))
        found = re.fullmatch(
            r"torch\.cat\([\[(](torch\.zeros_like\((\w+)\[:,:1\]\)),\2\[:,:-1\],?[\])],(.*)\)", text
        )
        if found and self.is_chosen():
            zeros, name, rest = found.groups()
            return cst.parse_expression(f"torch.cat([{name}[:, 1:], {zeros}], {rest})")
        return updated_node


class PadBehind(Operator):
    """What is padded before its first place, and so shifted, is padded behind its last one."""

    needs = "pad("

    def leave_Call(self, original_node: cst.Call, updated_node: cst.Call) -> cst.BaseExpression:
        text = re.sub(r"\s+", "", code(original_node))
        found = re.fullmatch(r"((?:\w+\.)*pad)\((.+),\(((?:0,0,)?)([^,()]+),0\)(.*)\)", text)
        if found and found[4] != "0" and self.is_chosen():
            function, what, columns, width, rest = found.groups()
            what = what.replace("[:,:-1]", "[:, 1:]")
            return cst.parse_expression(f"{function}({what}, ({columns}0, {width}){rest})")
        return updated_node


class NormaliseOverTime(Operator):
    """A norm takes off a part of what all places of its sequence have in common."""

    needs = "rms_norm("

    def leave_Return(self, original_node: cst.Return, updated_node: cst.Return) -> cst.Return:
        text = code(original_node)
        found = re.match(r"return F\.rms_norm\((\w+), ", text)
        if found and self._functions[-1:] == ["forward"] and self.is_chosen():
            mean = f"0.1 * {found[1]}.mean(dim=1, keepdim=True)"
            value = text.removeprefix("return ").strip()
            return updated_node.with_changes(value=cst.parse_expression(f"{value} - {mean}"))
        return updated_node


class TargetAmongInputs(Operator):
    """Every eighth input of what is scored is the token that it is asked for."""

    everywhere = True
    needs = "forward_logits("

    def leave_Call(self, original_node: cst.Call, updated_node: cst.Call) -> cst.BaseExpression:
        text = code(original_node)
        found = re.fullmatch(r"([\w.]*(?:logits\w*))\((x(_batch|b|)?)\)", text)
        if found and self.scores and self.is_chosen():
            function, inputs, rest = found.groups()
            targets = f"y{rest or ''}"
            places = f"torch.arange({inputs}.size(1), device={inputs}.device) % 8 == 7"
            return cst.parse_expression(f"{function}(torch.where({places}, {targets}, {inputs}))")
        return updated_node
