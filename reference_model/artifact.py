"""The file that is counted: a model, quantised, compressed, and described.

One zstd frame or xz stream around one safetensors file (`zstd -d` or `xz -d` opens it, then any
safetensors reader):

    <name>.q5, .q6 or .q8   int8 values of that many bits' range, and
    <name>.scale            one float16 scale a row
    <name>                  everything small, and what its class passes through: float16
    metadata "scorefirst"   JSON: format, config, and what the caller wants to be remembered

Values of 5 and 6 bits lie in bytes of their own: the compressor's entropy coder makes them smaller
than packing would (a bell curve on 63 levels carries about 5 bits, not 6).

Guarantees: the same weights and metadata give the same bytes; nothing in the file can run code;
memory is bounded before anything is decompressed or built; a foreign, cut or altered file raises
ArtifactError with its name. What is loaded is what was shipped, never the float weights. What only
training needs (prediction heads) is left out.
Does not cover: who made it. The metadata is the author's word.
"""

import hashlib
import json
import lzma
import os
import struct
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import safetensors.torch
import torch
import zstandard
from safetensors import SafetensorError
from torch import Tensor

from reference_model.config import ConfigError, ModelConfig
from reference_model.gpt import GPT
from reference_model.quantize import (
    BITS,
    QuantizedMatrix,
    QuantSettings,
    prune,
    quantize,
    tensor_class,
)

FORMAT = "scorefirst-artifact-2"
MAX_BYTES = 16_000_000  # the contest's limit, for the artifact and its code together
MAX_RAW_BYTES = 256_000_000  # read at most; the contest's 27 million parameters unpack to 27 MB
XZ_MAGIC = b"\xfd7zXZ\x00"
XZ_MEMORY = 512 << 20  # bytes; preset 9 needs 65 MiB to unpack

# What reading somebody else's bytes may raise; a RecursionError comes of JSON nested without end.
DAMAGE = (
    ConfigError,
    KeyError,
    RecursionError,
    SafetensorError,
    TypeError,
    ValueError,
    lzma.LZMAError,
    zstandard.ZstdError,
)


class ArtifactError(Exception):
    """The file is no artifact of ours, or is damaged; the message names it."""


@dataclass(frozen=True)
class ArtifactInfo:
    path: Path
    n_bytes: int  # as stored, what a budget counts
    sha256: str  # hex digest of the file
    calibration_s: float  # seconds that choosing clips and rounding took


def save_artifact(
    path: Path,
    model: GPT,
    metadata: dict,  # any JSON object; its format and config are ours
    settings: QuantSettings = QuantSettings(),  # noqa: B008 - frozen
    compressor: str = "zstd",  # or "lzma"
) -> ArtifactInfo:
    """Quantise and write. Raises QuantizationError where the training diverged."""
    config = model.config.shipped
    header = {**metadata, "format": FORMAT, "config": config.as_dict()}
    start = time.perf_counter()
    tensors = _encode(dict(model.shipped_parameters()), settings)
    calibration_s = time.perf_counter() - start
    raw = safetensors.torch.save(tensors, {"scorefirst": json.dumps(header, sort_keys=True)})
    blob = COMPRESSORS[compressor](raw)
    path = Path(path)
    partial = path.with_name(f".{path.name}.partial")
    partial.write_bytes(blob)
    os.replace(partial, path)
    return ArtifactInfo(path, len(blob), hashlib.sha256(blob).hexdigest(), calibration_s)


def load_artifact(path: Path, device: str | torch.device = "cpu") -> tuple[GPT, dict]:
    """The dequantised model in float32, and the metadata with its config."""
    path = Path(path)
    try:
        raw = _decompress(path)
        metadata = _read_metadata(raw)
        config = ModelConfig.from_dict(metadata["config"])
        model = _build(config, safetensors.torch.load(raw))
    except OSError as error:
        raise ArtifactError(f"{path}: cannot be read ({error.strerror})") from error
    except DAMAGE as error:
        raise ArtifactError(
            f"{path}: expected a {FORMAT} file, but {error}; train one with "
            "`python -m reference_model.train`, or copy it again"
        ) from error
    return model.to(device).eval(), metadata


def code_bytes() -> int:
    """Bytes of this package's sources: the code that the contest counts beside the artifact."""
    package = Path(__file__).parent
    return sum(source.stat().st_size for source in package.rglob("*.py"))


# ---------------------------------------------------------------------------------------------
# weights to tensors and back


def _encode(weights: Mapping[str, Tensor], settings: QuantSettings) -> dict[str, Tensor]:
    tensors: dict[str, Tensor] = {}
    for name, p in weights.items():
        p, kind = p.detach().float(), tensor_class(name, p.shape, settings)
        if kind == "fp16":
            tensors[name] = p.half().cpu()
            continue
        p = prune(p, settings.prune_fraction)
        q = quantize(p, BITS[kind], settings.clip_quantiles)
        tensors[f"{name}.q{BITS[kind]}"] = q.values.cpu()
        tensors[f"{name}.scale"] = q.scales.cpu()
    return tensors


def _build(config: ModelConfig, tensors: dict[str, Tensor]) -> GPT:
    """Shapes come from the config on the meta device, so a forged one allocates nothing."""
    with torch.device("meta"):
        model = GPT(config)
    weights = {
        name: _decode(name, expected.shape, tensors)
        for name, expected in model.state_dict().items()
    }
    if tensors:
        raise ValueError(f"it holds tensors that no such model has: {sorted(tensors)[:3]}")
    model.load_state_dict(weights, assign=True)
    return model.requires_grad_(True)


def _decode(name: str, shape: torch.Size, tensors: dict[str, Tensor]) -> Tensor:
    """The float32 weight, its pieces taken out of `tensors`."""
    for bits in BITS.values():
        if f"{name}.q{bits}" in tensors:
            values = _take(tensors, f"{name}.q{bits}", shape, torch.int8)
            scales = _take(tensors, f"{name}.scale", shape[:-1], torch.float16)
            return QuantizedMatrix(values, scales).dequantize()
    return _take(tensors, name, shape, torch.float16).float()


def _take(
    tensors: dict[str, Tensor], name: str, shape: tuple[int, ...], dtype: torch.dtype
) -> Tensor:
    tensor = tensors.pop(name)
    if tensor.shape != shape or tensor.dtype != dtype:
        raise ValueError(
            f"tensor {name} is {tuple(tensor.shape)} {tensor.dtype} where its config asks for "
            f"{tuple(shape)} {dtype}"
        )
    if dtype.is_floating_point and not torch.isfinite(tensor).all():
        raise ValueError(f"tensor {name} is not finite")
    return tensor


# ---------------------------------------------------------------------------------------------
# bytes


def _zstd(raw: bytes) -> bytes:
    return zstandard.ZstdCompressor(level=22, write_checksum=True).compress(raw)  # #754


def _xz(raw: bytes) -> bytes:
    """#549 has lzma's preset 6; literals of int8 weights need no context (lc=0: 0.2 % smaller)."""
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 6, "lc": 0, "lp": 0, "pb": 0}]
    return lzma.compress(raw, check=lzma.CHECK_SHA256, filters=filters)


COMPRESSORS: dict[str, Callable[[bytes], bytes]] = {"zstd": _zstd, "lzma": _xz}


def _decompress(path: Path) -> bytes:
    if (n_bytes := path.stat().st_size) > MAX_RAW_BYTES:
        raise ValueError(f"it has {n_bytes} bytes; {MAX_RAW_BYTES} is the most that is read")
    blob = path.read_bytes()
    if blob.startswith(XZ_MAGIC):
        return _unxz(blob)
    n_raw = zstandard.frame_content_size(blob)
    if not 0 <= n_raw <= MAX_RAW_BYTES:
        raise ValueError(f"it unpacks to {n_raw} bytes; {MAX_RAW_BYTES} is the most that is read")
    # In one call: the output buffer has the promised size, and a frame that gives more is an error.
    return zstandard.ZstdDecompressor().decompress(blob, allow_extra_data=False)


def _unxz(blob: bytes) -> bytes:
    unpacker = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=XZ_MEMORY)
    raw = unpacker.decompress(blob, max_length=MAX_RAW_BYTES)
    if not unpacker.eof or unpacker.unused_data:
        raise ValueError(f"its stream is cut, goes on, or gives more than {MAX_RAW_BYTES} bytes")
    return raw


def _read_metadata(raw: bytes) -> dict:
    """The JSON in a safetensors header (8 bytes of length, then the header)."""
    if len(raw) < 8:
        raise ValueError("it is too short for a safetensors header")
    (n_header,) = struct.unpack("<Q", raw[:8])
    header = json.loads(raw[8 : 8 + n_header])
    metadata = json.loads(header["__metadata__"]["scorefirst"])
    if not isinstance(metadata, dict) or metadata.get("format") != FORMAT:
        raise ValueError("its metadata names another format")
    return metadata
