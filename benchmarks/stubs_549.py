"""Stand-ins for what the public script #549 imports and a machine may not have.

    flash_attn_interface   served by PyTorch's scaled_dot_product_attention
    sentencepiece          a tokenizer of VOCAB_SIZE pieces that stand for nothing: the script asks
                           for one at its start, training never uses it
    sitecustomize          on a CPU only: what the script calls `cuda` is the CPU, uncompiled

They are files in a folder that PYTHONPATH names; the script itself stays as it is.
"""

import importlib.util
import sys
from pathlib import Path

FLASH = """\
import contextlib, os
import torch
import torch.nn.functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

CUDNN = os.environ.get("SCRIPT_ATTENTION") == "cudnn"


def flash_attn_func(q, k, v, causal=False):
    q, k, v = (x.to(v.dtype).transpose(1, 2) for x in (q, k, v))
    if CUDNN:
        with sdpa_kernel(SDPBackend.CUDNN_ATTENTION):
            y = F.scaled_dot_product_attention(q, k, v, is_causal=causal, enable_gqa=True)
    else:  # by what the script allows: flash alone
        y = F.scaled_dot_product_attention(q, k, v, is_causal=causal, enable_gqa=True)
    return y.transpose(1, 2)
"""

SENTENCEPIECE = """\
import os


class SentencePieceProcessor:
    def __init__(self, model_file):
        pass

    def vocab_size(self):
        return int(os.environ.get("VOCAB_SIZE", 1024))

    def is_control(self, i):
        return False

    is_unknown = is_unused = is_byte = is_control

    def id_to_piece(self, i):
        return "x"
"""

CPU = """\
import torch

_device = torch.device


class _Meta(type):
    def __instancecheck__(cls, x):
        return isinstance(x, _device)


class Device(metaclass=_Meta):
    def __new__(cls, *args, **kwargs):
        device = _device(*args, **kwargs)
        return _device("cpu") if device.type == "cuda" else device


def nothing():  # a new one each time: torch keeps a table of its functions
    return lambda *args, **kwargs: 0


torch.device = Device
torch.compile = lambda model, **kwargs: model
torch.cuda.is_available = lambda: True
for name in ("set_device", "synchronize", "manual_seed_all"):
    setattr(torch.cuda, name, nothing())
for name in ("max_memory_allocated", "max_memory_reserved"):
    setattr(torch.cuda, name, nothing())
for backend in ("cudnn", "flash", "mem_efficient", "math"):
    setattr(torch.backends.cuda, f"enable_{backend}_sdp", nothing())
import subprocess

subprocess.run = lambda *args, **kwargs: subprocess.CompletedProcess(args, 0, "", "")
_autocast = torch.autocast
torch.autocast = lambda device_type, **kwargs: _autocast("cpu", **kwargs)
"""


def write_stubs(folder: Path, cpu: bool) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "flash_attn_interface.py").write_text(FLASH)
    (folder / "sentencepiece.py").write_text(SENTENCEPIECE)
    site = folder / "sitecustomize.py"
    if cpu:
        site.write_text(CPU)
    else:
        site.unlink(missing_ok=True)


def make_importable(folder: Path) -> None:
    """For an import of the script into this process: only what is missing here is served."""
    if importlib.util.find_spec("sentencepiece") is None:
        sys.path.append(str(folder))
