"""The file that is counted: a model, quantised, packed, compressed, and described.

One zstd frame around one safetensors file (`zstd -d` opens it, then any safetensors reader):

    <name>.q6, <name>.scale   block matrices: int6 packed in bytes, float16 scale a row
    <name>.q8, <name>.scale   the embedding: int8, float16 scale a row
    <name>                    everything small (gains, scales, mixes): float16
    metadata "scorefirst"     JSON: format, config, and what the caller wants to be remembered

Guarantees: the same weights and metadata give the same bytes; nothing in the file can run code;
memory is bounded before anything is decompressed or built; a foreign, cut or altered file raises
ArtifactError with its name. What is loaded is what was shipped, never the float weights.
Does not cover: who made it. The metadata is the author's word.
"""

import hashlib
import json
import os
import struct
from dataclasses import dataclass
from pathlib import Path

import safetensors.torch
import torch
import zstandard
from safetensors import SafetensorError
from torch import Tensor

from reference_model.config import ConfigError, ModelConfig
from reference_model.gpt import GPT
from reference_model.optim import is_matrix
from reference_model.packing import pack, packed_bytes, unpack
from reference_model.quantize import QuantizedMatrix, quantize

FORMAT = "scorefirst-artifact-1"
# The contest allows 16,000,000 bytes compressed; its 27 million parameters unpack to 20 MB.
MAX_RAW_BYTES = 256_000_000
COMPRESSION_LEVEL = 19

# What reading somebody else's bytes may raise; a RecursionError comes of JSON nested without end.
DAMAGE = (
    ConfigError,
    KeyError,
    RecursionError,
    SafetensorError,
    TypeError,
    ValueError,
    zstandard.ZstdError,
)


class ArtifactError(Exception):
    """The file is no artifact of ours, or is damaged; the message names it."""


@dataclass(frozen=True)
class ArtifactInfo:
    path: Path
    n_bytes: int  # as stored, what a budget counts
    sha256: str  # hex digest of the file


def save_artifact(path: Path, model: GPT, metadata: dict) -> ArtifactInfo:
    """Quantise and write; `metadata` is any JSON object (its format and config are ours)."""
    header = {**metadata, "format": FORMAT, "config": model.config.as_dict()}
    raw = safetensors.torch.save(_encode(model), {"scorefirst": json.dumps(header, sort_keys=True)})
    blob = zstandard.ZstdCompressor(level=COMPRESSION_LEVEL, write_checksum=True).compress(raw)
    path = Path(path)
    partial = path.with_name(f".{path.name}.partial")
    partial.write_bytes(blob)
    os.replace(partial, path)
    return ArtifactInfo(path, len(blob), hashlib.sha256(blob).hexdigest())


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


# ---------------------------------------------------------------------------------------------
# weights to tensors and back


def _encode(model: GPT) -> dict[str, Tensor]:
    tensors: dict[str, Tensor] = {}
    for name, p in model.state_dict().items():
        p = p.detach().cpu()
        if is_matrix(name, p):
            q = quantize(p.flatten(0, -2), bits=6)
            tensors[f"{name}.q6"] = torch.from_numpy(pack(q.values.flatten().numpy()))
            tensors[f"{name}.scale"] = q.scales
        elif p.ndim == 2 and name.endswith(".weight"):
            q = quantize(p, bits=8)
            tensors[f"{name}.q8"], tensors[f"{name}.scale"] = q.values, q.scales
        else:
            tensors[name] = p.half()
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

    def take(name: str, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
        return _checked(name, tensors.pop(name), shape, dtype)

    if f"{name}.q6" in tensors:
        packed = take(f"{name}.q6", (packed_bytes(shape.numel()),), torch.uint8)
        rows = torch.from_numpy(unpack(packed.numpy(), shape.numel())).view(-1, shape[-1])
        scales = take(f"{name}.scale", rows.shape[:1], torch.float16)
        return QuantizedMatrix(rows, scales).dequantize().view(shape)
    if f"{name}.q8" in tensors:
        values = take(f"{name}.q8", shape, torch.int8)
        scales = take(f"{name}.scale", shape[:1], torch.float16)
        return QuantizedMatrix(values, scales).dequantize()
    return take(name, shape, torch.float16).float()


def _checked(name: str, tensor: Tensor, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
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


def _decompress(path: Path) -> bytes:
    if (n_bytes := path.stat().st_size) > MAX_RAW_BYTES:
        raise ValueError(f"it has {n_bytes} bytes; {MAX_RAW_BYTES} is the most that is read")
    blob = path.read_bytes()
    n_raw = zstandard.frame_content_size(blob)
    if not 0 <= n_raw <= MAX_RAW_BYTES:
        raise ValueError(f"it unpacks to {n_raw} bytes; {MAX_RAW_BYTES} is the most that is read")
    # In one call: the output buffer has the promised size, and a frame that gives more is an error.
    return zstandard.ZstdDecompressor().decompress(blob, allow_extra_data=False)


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
