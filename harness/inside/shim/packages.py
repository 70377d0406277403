"""Optional packages that are absent here and can be served.

Replaces, where the real one is not installed: FlashAttention 2 and 3, the `kernels` hub (its
attention only), the CUTLASS fusion of one popular lineage, the scans of `mamba_ssm`,
`causal_conv1d` and `fla` (see `scans`, `fla`), `tiktoken` (see `byte_pairs`), `wandb`, and the
downloads of `huggingface_hub` and `requests`.
The numbers stay right: attention is PyTorch's (see `attention`), the fusion is the product that its
source defines, scans are their recurrences, `wandb` only reports; a download that is asked for all
the same fails as without a network, and most scripts ask only for what is not there yet (#2098).
Not covered: every other absent package ends in Python's own `ModuleNotFoundError`, which names it,
and lets a script that has a fallback take it.
"""

import importlib.util
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from harness.inside.shim import attention, byte_pairs, fla, scans
from harness.inside.shim.unserved import unserved

_ATTENTION: Mapping[str, Any] = {
    "flash_attn_func": attention.flash_attn_func,
    "flash_attn_varlen_func": attention.flash_attn_varlen_func,
    "flash_attn_qkvpacked_func": attention.flash_attn_qkvpacked_func,
    "flash_attn_kvpacked_func": attention.flash_attn_kvpacked_func,
    "flash_attn_with_kvcache": unserved("flash_attn_with_kvcache"),
    "__version__": "3.0.0",
}
_REFUSED = "nothing is downloaded inside the isolation"


def install() -> None:
    """Adds the last finder, so that a package that is really there always wins."""
    sys.meta_path.append(_StandIns())
    _cutlass_operator()


def serve_text() -> None:
    """For a script whose contest gives it text and a tokenizer."""
    _CONTENTS.update(_OF_TEXT)


def _hub() -> dict[str, Any]:
    def get_kernel(repository: str, *_: Any, **__: Any) -> ModuleType:
        """A kernel of the hub, if it is attention."""
        if "flash" not in repository:
            unserved(f"kernels.get_kernel({repository!r})")()
        found = importlib.import_module("flash_attn_interface")
        found.flash_attn_interface = found  # type: ignore[attr-defined]  # some kernels hold it so
        return found

    return {"get_kernel": get_kernel, "has_kernel": lambda name, **_: "flash" in name}


class _Silence:
    """A run that nobody watches: every attribute is callable and returns it again."""

    def __getattr__(self, name: str) -> "_Silence":
        if name.startswith("__"):
            raise AttributeError(name)
        return self

    def __call__(self, *_: Any, **__: Any) -> "_Silence":
        return self

    def __enter__(self) -> "_Silence":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def __setitem__(self, key: str, value: object) -> None:
        pass


def _reporting() -> dict[str, Any]:
    silence = _Silence()
    names = ("init", "log", "finish", "watch", "save", "define_metric", "config", "summary")
    return {**dict.fromkeys(names, silence), "run": None}


def _downloads() -> dict[str, Any]:
    def refused(*names: Any, **options: Any) -> None:
        wanted = names[0] if names else options.get("repo_id")
        raise ConnectionError(f"{wanted}: {_REFUSED}")

    return {"snapshot_download": refused, "hf_hub_download": refused}


def _web() -> dict[str, Any]:
    """`requests`, without a network: preparation code imports it and does not call it."""

    def refused(address: str = "", *_: Any, **__: Any) -> None:
        raise ConnectionError(f"{address}: {_REFUSED}")

    failure = {"RequestException": OSError, "Session": _Silence, "ConnectionError": ConnectionError}
    return {**failure, **dict.fromkeys(("get", "post", "head", "request"), refused)}


def _trainers(*names: str) -> dict[str, Any]:
    """Of tokenizers, which are trained before a run: scripts import them and load one that is."""
    return {name: unserved(f"tokenizers.{name}") for name in names}


_CONTENTS: dict[str, Callable[[], Mapping[str, Any]]] = {
    "flash_attn": lambda: _ATTENTION,
    "flash_attn.flash_attn_interface": lambda: _ATTENTION,
    "flash_attn.cute": lambda: _ATTENTION,
    "flash_attn_interface": lambda: _ATTENTION,
    "flash_attn_3": lambda: _ATTENTION,
    "flash_attn_3.flash_attn_interface": lambda: _ATTENTION,
    "huggingface_hub": _downloads,
    "kernels": _hub,
    "cutlass_evt_fusion": dict,
    "wandb": _reporting,
    "causal_conv1d": lambda: {"causal_conv1d_fn": scans.causal_conv1d_fn},
    "mamba_ssm": dict,
    "mamba_ssm.ops": dict,
    "mamba_ssm.ops.selective_scan_interface": lambda: {
        "selective_scan_fn": scans.selective_scan_fn,
        "mamba_inner_fn": unserved("mamba_inner_fn"),
    },
    "fla": dict,
    "fla.layers": fla.layers,
    "fla.layers.gated_deltanet": fla.layers,
    "fla.layers.gated_deltaproduct": fla.layers,
    "fla.layers.mamba2": fla.layers,
    "fla.ops": dict,
    "fla.ops.gated_delta_rule": fla.operators,
    "fla.ops.gated_delta_rule.chunk": fla.operators,
    "fla.ops.gated_delta_rule.naive": fla.operators,
}


# Of scripts that read text, which import what prepares it. Others have fallbacks for their absence.
_OF_TEXT: Mapping[str, Callable[[], Mapping[str, Any]]] = {
    "requests": _web,
    "requests.adapters": lambda: {"HTTPAdapter": _Silence},
    "tokenizers": lambda: _trainers("Tokenizer", "Regex"),
    "tokenizers.decoders": dict,
    "tokenizers.models": lambda: _trainers("BPE"),
    "tokenizers.pre_tokenizers": dict,
    "tokenizers.trainers": lambda: _trainers("BpeTrainer"),
    "rustbpe": lambda: {"Tokenizer": unserved("rustbpe.Tokenizer")},
    "tiktoken": lambda: {"Encoding": byte_pairs.Encoding, "get_encoding": byte_pairs.get_encoding},
    "tiktoken.core": lambda: {"Encoding": byte_pairs.Encoding},
}


class _StandIns(MetaPathFinder, Loader):
    """Finds and fills the modules of `_CONTENTS`."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname not in _CONTENTS:
            return None
        is_package = any(name.startswith(fullname + ".") for name in _CONTENTS)
        return importlib.util.spec_from_loader(fullname, self, is_package=is_package)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return None  # the ordinary one

    def exec_module(self, module: ModuleType) -> None:
        vars(module).update(_CONTENTS[module.__name__]())


def _cutlass_operator() -> None:
    """`torch.ops.cutlass_evt.gemm_mul`; folders carry its source: (go @ down_w) * act_grad.

    Registered at once: the folder of its source, on the path, imports as an empty package.
    """
    torch.library.define(
        "cutlass_evt::gemm_mul", "(Tensor go, Tensor down_w, Tensor act_grad) -> Tensor"
    )

    @torch.library.impl("cutlass_evt::gemm_mul", "CompositeExplicitAutograd")
    def gemm_mul(
        go: Tensor,  # (rows, inner)
        down_w: Tensor,  # (inner, columns)
        act_grad: Tensor,  # (rows, columns)
    ) -> Tensor:
        return (go.float() @ down_w.float() * act_grad.float()).to(go.dtype)
