"""Does the reference model compute what the public record script #549 computes?

    python benchmarks/parity_549.py PATH_TO_SCRIPT

The script (train_gpt.py of the record folder 2026-03-23_LeakyReLU_LegalTTT_ParallelMuon, fetched by
whoever runs this) is imported from its path; its `flash_attn_interface`, which needs a GPU, is
served by PyTorch's own attention. Both models get the same weights, random and away from zero in
every tensor, so that parts which start at zero are compared too. Compared in float32 on CPU: the
number of parameters, logits, loss, and the gradient of every tensor. A name of either model that
the table below leaves out is an error.

Exit status 0: all as promised. 1: not; the numbers say by how much. 2: the script cannot be read.
"""

import argparse
import importlib.util
import sys
import types
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from reference_model.gpt import GPT
from reference_model.presets import PRESETS

PRESET = "record_549"
N_PARAMETERS = 26_928_220  # what the script's logs report, `model_params`
MAX_LOGIT_DIFFERENCE = 1e-4
BIGRAM_BUCKETS = 1_536  # the run's; the script's default is 2,048

# Ours to the script's. {i} runs over the layers.
NAMES = {
    "tok_emb.weight": "tok_emb.weight",
    "bigram.embed.weight": "bigram.embed.weight",
    "bigram.proj.weight": "bigram.proj.weight",
    "bigram.scale": "bigram.scale",
    "smear.gate": "smear.gate",
    "ve.embed.weight": "ve_shared.embed.weight",
    "ve.proj.weight": "ve_shared.proj.weight",
    "ve.scale": "ve_shared.scale",
    "skips.weights": "skip_weights",
    "qo_bank": "qo_bank",
    "kv_bank": "kv_bank",
    "mlp_up_bank": "mlp_up_bank",
    "mlp_down_bank": "mlp_down_bank",
}
BLOCK_NAMES = ("attn_scale", "mlp_scale", "resid_mix", "attn.q_gain")
# One vector here, one parameter an entry there.
LAYER_SCALES, THEIR_LAYER_SCALES = "ve.layer_scales", "ve_layer_scales.{j}"


@dataclass(frozen=True)
class Parity:
    """One comparison on one batch; differences are largest absolute ones."""

    seq_len: int
    logits: float
    largest_logit: float
    loss: float  # nats
    gradient: float  # of any tensor, over that tensor's largest entry
    gradient_of: str  # the script's name of that tensor

    def __str__(self) -> str:
        return (
            f"{self.seq_len:5d} tokens: logits {self.logits:.2e} of {self.largest_logit:.1f}, "
            f"loss {self.loss:.2e} nats, "
            f"gradients {self.gradient:.2e} of the largest entry (worst: {self.gradient_of})"
        )


def main(argv: list[str] | None = None) -> int:
    args = _parse(argv)
    torch.manual_seed(args.seed)
    try:
        script = load_script(args.script)
    except OSError as error:
        print(f"error: {args.script}: {error.strerror}", file=sys.stderr)
        return 2
    ours = GPT(PRESETS[PRESET].config)
    theirs = build_theirs(script, ours)
    fill(ours)
    theirs.load_state_dict(to_theirs(dict(ours.named_parameters())), strict=True)
    n_theirs = sum(p.numel() for p in theirs.parameters())
    print(f"parameters: ours {ours.n_parameters:,}, the script's {n_theirs:,}")
    good = ours.n_parameters == n_theirs == N_PARAMETERS
    for seq_len in args.seq_len:
        parity = compare(ours, theirs, seq_len)
        print(parity, flush=True)
        good &= parity.logits <= MAX_LOGIT_DIFFERENCE
    print("the same model" if good else "NOT the same model")
    return 0 if good else 1


def load_script(path: Path) -> types.ModuleType:
    """The public module, its CUDA-only import served. Runs its top level, which only defines."""
    flash = types.ModuleType("flash_attn_interface")
    flash.flash_attn_func = flash_attention  # type: ignore[attr-defined]
    sys.modules["flash_attn_interface"] = flash
    spec = importlib.util.spec_from_file_location("public_549", path)
    if spec is None or spec.loader is None:
        raise FileNotFoundError(2, "is not a Python file", str(path))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def flash_attention(
    q: Tensor,  # (B, T, H, head_dim)
    k: Tensor,  # (B, T, H_kv, head_dim)
    v: Tensor,  # (B, T, H_kv, head_dim)
    causal: bool,
) -> Tensor:  # (B, T, H, head_dim)
    q, k, v = (x.transpose(1, 2) for x in (q, k, v))
    y = F.scaled_dot_product_attention(q, k, v, is_causal=causal, enable_gqa=True)
    return y.transpose(1, 2)


def build_theirs(script: types.ModuleType, ours: GPT) -> nn.Module:
    """The script's model by its own defaults, the vocabulary and the run's bigram buckets apart."""
    h = script.Hyperparameters
    return script.GPT(
        vocab_size=ours.config.vocab_size,
        num_layers=h.num_layers,
        model_dim=h.model_dim,
        num_heads=h.num_heads,
        num_kv_heads=h.num_kv_heads,
        mlp_mult=h.mlp_mult,
        tie_embeddings=h.tie_embeddings,
        tied_embed_init_std=h.tied_embed_init_std,
        logit_softcap=h.logit_softcap,
        rope_base=h.rope_base,
        qk_gain_init=h.qk_gain_init,
        mtp_num_heads=h.mtp_num_heads,
        mtp_loss_weight=h.mtp_loss_weight,
        bigram_vocab_size=BIGRAM_BUCKETS,
        bigram_dim=h.bigram_dim,
        xsa_last_n=h.xsa_last_n,
        rope_dims=h.rope_dims,
        ln_scale=h.ln_scale,
        dtg=h.dtg_enabled,
        ve_enabled=h.ve_enabled,
        ve_dim=h.ve_dim,
        ve_layers=h.ve_layers,
        gated_attention=h.gated_attention,
        value_residual=h.value_residual,
    )


@torch.no_grad()
def fill(model: GPT) -> None:
    """Random weights as a trained model might have them: no tensor zero, every scale its own."""
    for name, p in model.named_parameters():
        if name == "tok_emb.weight":
            p.normal_(std=0.1)  # raw logits of about 2: the cap bends some of them
        elif p.ndim >= 2 and "resid_mix" not in name and "skips" not in name:
            p.normal_(std=p.size(-1) ** -0.5)
        else:
            p.normal_(mean=0.8, std=0.3)


def to_theirs(named: dict[str, Tensor]) -> dict[str, Tensor]:
    """Under the script's names. Raises KeyError for a name that the table does not have."""
    names = dict(NAMES)
    for i in range(PRESETS[PRESET].config.n_layer):
        names |= {f"blocks.{i}.{name}": f"blocks.{i}.{name}" for name in BLOCK_NAMES}
    theirs: dict[str, Tensor] = {}
    for name, tensor in named.items():
        if name == LAYER_SCALES:
            theirs |= {THEIR_LAYER_SCALES.format(j=j): x for j, x in enumerate(tensor.split(1))}
        else:
            theirs[names[name]] = tensor
    return theirs


def compare(ours: GPT, theirs: nn.Module, seq_len: int) -> Parity:
    tokens, targets = torch.randint(ours.config.vocab_size, (2, 1, seq_len))
    # Not inference_mode: the script caches its angles, and could then not be trained.
    with torch.no_grad():
        logits, their_logits = (model.forward_logits(tokens) for model in (ours, theirs))
    difference, largest = (logits - their_logits).abs().max().item(), logits.abs().max().item()
    losses = [model(tokens, targets) for model in (ours, theirs)]
    for model, loss in zip((ours, theirs), losses, strict=True):
        model.zero_grad()
        loss.backward()
    expected = {name: p.grad for name, p in theirs.named_parameters()}
    found = to_theirs({name: p.grad for name, p in ours.named_parameters()})
    worst = {
        name: float((found[name] - grad).abs().max() / grad.abs().max())
        for name, grad in expected.items()
    }
    name = max(worst, key=lambda name: worst[name])
    loss = (losses[0] - losses[1]).abs().item()
    return Parity(seq_len, difference, largest, loss, worst[name], name)


def _parse(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python benchmarks/parity_549.py", description=__doc__.splitlines()[0]
    )
    parser.add_argument("script", type=Path, help="the public train_gpt.py of #549")
    parser.add_argument(
        "--seq-len", type=int, nargs="+", default=[512, 2048], help="windows (default 512 2048)"
    )
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
