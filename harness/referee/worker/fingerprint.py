"""Fingerprints of what a submission can learn into: parameters, and buffers apart from them.

xxh3-128 reads about 10 GB/s: 27 M float32 parameters in some 10 ms. Runs inside the worker: what it
says is *reported*, not established.
"""

from collections.abc import Iterator

import xxhash
from torch import Tensor, nn

from harness.protocol.tensor_bytes import tensor_bytes

MAX_DEPTH = 4  # attributes, lists and dicts followed from a predictor down to its tensors


def tensors_of(root: object) -> tuple[list[Tensor], list[Tensor]]:
    """(weights, buffers) reachable from an object's attributes.

    Weights: parameters and anything else that wants gradients. Buffers: all other tensors.
    """
    found: dict[int, tuple[Tensor, bool]] = {}
    for tensor, is_weight in _walk(root, MAX_DEPTH, set()):
        known = found.get(tensor.data_ptr(), (tensor, False))
        found[tensor.data_ptr()] = (tensor, known[1] or is_weight)
    weights = [t for t, is_weight in found.values() if is_weight]
    return weights, [t for t, is_weight in found.values() if not is_weight]


def fingerprint(tensors: list[Tensor]) -> str:
    """32 hex digits of the contents, in order."""
    digest = xxhash.xxh3_128()
    for tensor in tensors:
        digest.update(tensor_bytes(tensor))
    return digest.hexdigest()


NO_WEIGHTS = fingerprint([])


def _walk(node: object, depth: int, seen: set[int]) -> Iterator[tuple[Tensor, bool]]:
    if id(node) in seen or depth < 0:
        return
    seen.add(id(node))
    if isinstance(node, Tensor):
        yield node, isinstance(node, nn.Parameter) or node.requires_grad
    elif isinstance(node, nn.Module):
        for parameter in node.parameters():
            yield parameter, True
        for buffer in node.buffers():
            yield buffer, False
    elif isinstance(node, dict):
        for value in node.values():
            yield from _walk(value, depth - 1, seen)
    elif isinstance(node, list | tuple | set):
        for value in node:
            yield from _walk(value, depth - 1, seen)
    elif isinstance(getattr(node, "__dict__", None), dict) and not isinstance(node, type):
        for value in vars(node).values():
            yield from _walk(value, depth - 1, seen)
