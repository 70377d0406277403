"""bfloat16 arithmetic for Triton's interpreter.

Replaces: the interpreter's arithmetic on bfloat16, which it stores as 16-bit integers and (in
Triton 3.9) adds and multiplies as such, and its conversions, which cut where hardware rounds.
The numbers stay right: operands widen to float32 without loss, the operation runs there, and a
bfloat16 result is rounded to nearest even, as the hardware's instruction does.
Not covered: reductions over bfloat16 by a user's own combine function other than through the
operations listed here (Triton's `sum` and `max` widen by themselves).
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import triton.language as tl  # type: ignore[import-untyped]
from triton.runtime import interpreter  # type: ignore[import-untyped]

_RESULT_IN_KIND = """
fadd fmul fdiv frem fsub fneg fma precise_divf approx_divf minimumf minnumf maximumf maxnumf clampf
cos exp exp2 floor ceil log log2 precise_sqrt sqrt sin erf rsqrt
"""
_RESULT_FREE = "fcmpOLT fcmpOGT fcmpOLE fcmpOGE fcmpOEQ fcmpONE dot "
_RESULT_FREE += "fcmpULT fcmpUGT fcmpULE fcmpUGE fcmpUEQ fcmpUNE"


def install() -> None:
    """Wraps the builder's arithmetic and the two conversions."""
    module: Any = interpreter
    module._convert_float = _converting(module._convert_float)
    builder: Any = interpreter.InterpreterBuilder
    for names, keeps in ((_RESULT_IN_KIND, True), (_RESULT_FREE, False)):
        for name in names.split():
            original = getattr(builder, f"create_{name}", None)
            if original is not None:  # older versions know fewer
                setattr(builder, f"create_{name}", _widened(original, keeps))


def widen(bits: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """bfloat16 bits (uint16) as float32; exact."""
    return (bits.astype(np.uint32) << 16).view(np.float32)


def narrow(values: npt.NDArray[Any]) -> npt.NDArray[np.uint16]:
    """float32 as bfloat16 bits (uint16), to nearest even; a NaN stays one."""
    bits = np.ascontiguousarray(values, dtype=np.float32).view(np.uint32)
    rounded = ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)
    return np.where(np.isnan(values), np.uint16(0x7FC0), rounded).astype(np.uint16)


def _converting(original: Any) -> Any:
    def convert(data: Any, source: Any, target: Any, rounding: Any) -> Any:
        pair = (source.scalar, target.scalar)
        if pair == (tl.bfloat16, tl.float32):
            return widen(data)
        if pair == (tl.float32, tl.bfloat16):
            return narrow(data)
        return original(data, source, target, rounding)

    return convert


def _widened(original: Any, keeps: bool) -> Any:
    def operation(self: Any, *operands: Any) -> Any:
        if not any(map(_is_bfloat16, operands)):
            return original(self, *operands)
        result = original(self, *map(_wide, operands))
        if not keeps:
            return result
        return interpreter.TensorHandle(narrow(result.data), tl.bfloat16)

    return operation


def _is_bfloat16(operand: Any) -> bool:
    return isinstance(operand, interpreter.TensorHandle) and operand.dtype.scalar == tl.bfloat16


def _wide(operand: Any) -> Any:
    if not _is_bfloat16(operand):
        return operand
    return interpreter.TensorHandle(widen(operand.data), tl.float32)
