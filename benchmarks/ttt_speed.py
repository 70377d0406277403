"""Our score-first engine beside the evaluation function of the public record script #549.

    python benchmarks/ttt_speed.py PATH_TO_SCRIPT                  one GPU, the record's size
    python benchmarks/ttt_speed.py PATH_TO_SCRIPT --size small     runs on a CPU too

Same weights (a model trained for a moment on the rest of the shard, through an artifact), same
windows, same recipe, same device, and the script's dtypes: on a GPU it keeps its three tables in
bfloat16, where most steps of SGD are rounded away, so ours are put there too (float32 tables, the
engine's own, adapt further: 0.0014 bits per byte less on a model that knew the text).

The script is imported unmodified (`parity_549`), its `flash_attn_interface` served by PyTorch's
attention; its function runs as it is. Ours answers the very windows that the script scores; those
at the stream's end, which score its last tokens again, included. The rate is taken from the end of
the first chunk to the end of the last but one: compilation and the odd windows of both ends are
left out on both sides.

Exit status 0: at least 1.5 times the script's tokens per second, bits per byte equal to 1e-4.
1: not. On a CPU both run in float32, uncompiled, and only the bits per byte decide.
"""

from __future__ import annotations

import argparse
import contextlib
import math
import re
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from parity_549 import build_theirs, flash_attention, load_script, to_theirs
from stubs_549 import make_importable, write_stubs
from torch import Tensor

from harness.engines.score_first_ttt import ScoreFirstTTT, score_first_ttt
from harness.predictor import Geometry, PredictorContext
from reference_model.artifact import save_artifact
from reference_model.config import ModelConfig
from reference_model.data.corpus import embedded_data
from reference_model.data.shards import read_shard
from reference_model.gpt import GPT
from reference_model.presets import RECORD_549

GOAL_RATIO, GOAL_BITS = 1.5, 1e-4
MIN_TRAIN_TOKENS = 100_000
STRIDE, BATCH = 64, 32  # EVAL_STRIDE; batch_seqs of its eval_val_sliding_ttt
SCRIPT_BFLOAT16 = ("tok_emb.weight", "bigram.embed.weight", "ve.embed.weight")
CHUNK_LINE = re.compile(r"ttt_chunk \[(\d+)/\d+\] bpb=([\d.]+) time=([\d.]+)s")
SMALL = {"model_dim": 64, "n_head": 4, "n_kv_head": 2, "mlp_dim": 192, "seq_len": 128}


@dataclass(frozen=True)
class Size:
    """What is run."""

    config: ModelConfig
    chunk_tokens: int
    train_steps: int  # before anything is measured
    train_windows: int  # a step


SIZES = {
    "record": Size(RECORD_549.config, 32_768, 300, 16),
    "small": Size(replace(RECORD_549.config, **SMALL), 2_048, 30, 16),
}


@dataclass(frozen=True)
class Result:
    bits_per_byte: float
    tokens_per_s: float
    n_timed: int  # tokens


def main() -> int:
    args = _parse()
    size, device = SIZES[args.size], args.device
    if device == "cuda":
        torch.backends.cuda.matmul.allow_tf32 = True  # as the script's main sets it
        print(f"on {torch.cuda.get_device_name()}, PyTorch {torch.__version__}", flush=True)
    with tempfile.TemporaryDirectory() as scratch:
        write_stubs(Path(scratch) / "stubs", cpu=False)
        make_importable(Path(scratch) / "stubs")
        script = load_script(args.script)
        script.flash_attn_3_func = one_dtype_attention
        tokens, rest = load_tokens(args.tokens, args.chunks * size.chunk_tokens)
        table = byte_tables(script, args.tokenizer, device)
        artifact = Path(scratch) / "artifact.bin"
        save_artifact(artifact, trained(size, rest, device), {})
        geometry = Geometry(size.config.seq_len, STRIDE, size.chunk_tokens, len(tokens))
        settings = {"recipe": "record_549", "compiled": device == "cuda"}
        context = PredictorContext(
            artifact, Path(), Path(scratch), geometry, settings, device, seed=0
        )
        engine = score_first_ttt(context)
    if device == "cuda":
        narrow_tables(engine.model)
    theirs = script_model(script, engine.model, size.config)
    ours = run_ours(engine, tokens.to(device), geometry, table)
    print(f"ours:   {ours.tokens_per_s:,.0f} tokens/s, {ours.bits_per_byte:.6f} bits per byte")
    their = run_script(script, theirs, tokens, size, table, device)
    print(f"script: {their.tokens_per_s:,.0f} tokens/s, {their.bits_per_byte:.6f} bits per byte")
    return verdict(ours, their, device)


def verdict(ours: Result, script: Result, device: str) -> int:
    ratio = ours.tokens_per_s / script.tokens_per_s
    difference = ours.bits_per_byte - script.bits_per_byte
    print(
        f"ratio {ratio:.3f} over {ours.n_timed:,} tokens (goal {GOAL_RATIO}),"
        f" difference {difference:+.6f} bits per byte (goal {GOAL_BITS:g})"
    )
    fast = ratio >= GOAL_RATIO or device == "cpu"
    return 0 if fast and abs(difference) <= GOAL_BITS else 1


# ---------------------------------------------------------------------------------------------
# what both get


def load_tokens(path: Path, n: int) -> tuple[Tensor, Tensor]:
    """Of a shard, int64: (n + 1,), the first of which is given; and the rest, to train on."""
    tokens = torch.from_numpy(np.asarray(read_shard(path)).astype(np.int64))
    if len(tokens) < n + 1 + MIN_TRAIN_TOKENS:
        needed = n + 1 + MIN_TRAIN_TOKENS
        sys.exit(f"{path}: holds {len(tokens):,} tokens, {needed:,} are needed; fewer --chunks")
    return tokens[: n + 1], tokens[n + 1 :]


def byte_tables(script: ModuleType, tokenizer: Path, device: str) -> tuple[Tensor, Tensor, Tensor]:
    """The script's own count of bytes: (V,) bytes, leading space, boundary."""
    processor = script.spm.SentencePieceProcessor(model_file=str(tokenizer))
    return script.build_sentencepiece_luts(processor, processor.vocab_size(), torch.device(device))


def trained(size: Size, tokens: Tensor, device: str) -> GPT:
    """A model that has seen a little text: flat logits would hide every difference."""
    torch.manual_seed(0)
    model = GPT(size.config).to(device)
    model.compute_dtype = torch.bfloat16 if device == "cuda" else None
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    tokens, length = tokens.to(device), size.config.seq_len
    start = time.perf_counter()
    for _ in range(size.train_steps):
        at = torch.randint(len(tokens) - length - 1, (size.train_windows, 1)).to(device)
        windows = tokens[at + torch.arange(length + 1, device=device)]
        loss = model(windows[:, :-1], windows[:, 1:])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    wall_s = time.perf_counter() - start
    print(
        f"trained {size.train_steps} steps to {loss.item():.3f} nats in {wall_s:.0f} s", flush=True
    )
    return model


def narrow_tables(model: GPT) -> None:
    """To the script's dtype."""
    for name, p in model.named_parameters():
        if name in SCRIPT_BFLOAT16:
            p.data = p.data.bfloat16()


# ---------------------------------------------------------------------------------------------
# the script


def one_dtype_attention(q: Tensor, k: Tensor, v: Tensor, causal: bool) -> Tensor:
    """Flash wants one dtype; which products autocast leaves in float32, its release decides."""
    return flash_attention(q.to(v.dtype), k.to(v.dtype), v, causal)


def script_model(script: ModuleType, ours: GPT, config: ModelConfig) -> torch.nn.Module:
    """Its model with our weights, in the dtypes that its main gives them."""
    h = script.Hyperparameters
    h.model_dim, h.num_heads, h.num_kv_heads = config.model_dim, config.n_head, config.n_kv_head
    device = ours.tok_emb.weight.device
    model = build_theirs(script, ours).to(device)
    if device.type == "cuda":
        model.bfloat16()
        for name in ("qo_bank", "kv_bank", "mlp_up_bank", "mlp_down_bank"):
            getattr(model, name).data = getattr(model, name).data.float()
        for module in model.modules():
            if isinstance(module, script.CastedLinear):
                module.float()
        script.restore_low_dim_params_to_fp32(model)
    model.load_state_dict(to_theirs(dict(ours.named_parameters())), strict=True)
    # Its angles are kept from the first forward on; made under inference_mode, float32 ones could
    # not be trained with.
    with torch.no_grad():
        model.forward_logits(torch.zeros(1, config.seq_len, dtype=torch.int64, device=device))
    return model


def run_script(
    script: ModuleType,
    model: torch.nn.Module,
    tokens: Tensor,
    size: Size,
    table: tuple[Tensor, Tensor, Tensor],
    device: str,
) -> Result:
    args = script.Hyperparameters()
    args.train_seq_len, args.ttt_chunk_tokens = size.config.seq_len, size.chunk_tokens
    args.ttt_freeze_blocks = 0  # its README's run command
    lines: list[str] = []

    def log(line: str) -> None:
        lines.append(line)
        print(f"  script: {line}", flush=True)

    with contextlib.ExitStack() as stack:
        if device == "cpu":
            autocast = torch.autocast
            torch.autocast = lambda *args, **kwargs: contextlib.nullcontext()
            stack.callback(setattr, torch, "autocast", autocast)
        _, bits = script.eval_val_sliding_ttt(
            args, model, 0, 1, torch.device(device), tokens, *table, STRIDE, BATCH, log
        )
    seen = [(int(m[1]), float(m[3])) for line in lines if (m := CHUNK_LINE.search(line))]
    (first, start_s), (last, stop_s) = seen[0], seen[-2]
    n_timed = (last - first) * size.chunk_tokens
    return Result(bits, n_timed / (stop_s - start_s), n_timed)


# ---------------------------------------------------------------------------------------------
# ours


def run_ours(
    engine: ScoreFirstTTT,
    tokens: Tensor,  # (T,) int64, on the engine's device
    geometry: Geometry,
    table: tuple[Tensor, Tensor, Tensor],
) -> Result:
    nats = torch.zeros((), dtype=torch.float64, device=tokens.device)
    n_bytes = torch.zeros_like(nats)
    ends_s: list[float] = []
    for index, windows in enumerate(script_windows(geometry)):
        for length, scored, starts in batches(windows):
            ends = torch.tensor(starts, device=tokens.device)[:, None] + length
            inputs = tokens[ends + torch.arange(-length, 0, device=tokens.device)]
            targets = tokens[ends + torch.arange(1 - scored, 1, device=tokens.device)]
            with torch.inference_mode():
                rows = engine.log_probs(inputs, scored)
            nats -= rows.gather(-1, targets[..., None]).double().sum()
            n_bytes += counted_bytes(inputs[:, -scored:], targets, table)
        start = index * geometry.chunk_tokens
        if index < geometry.n_chunks - 1:
            engine.adapt(tokens[start : start + geometry.chunk_tokens + 1])
        ends_s.append(_now_s(tokens.device))
        print(f"  ours: chunk {index + 1}/{geometry.n_chunks}", flush=True)
    n_timed = (len(ends_s) - 2) * geometry.chunk_tokens
    bits = float(nats) / math.log(2) / float(n_bytes)
    return Result(bits, n_timed / (ends_s[-2] - ends_s[0]), n_timed)


def script_windows(geometry: Geometry) -> list[list[tuple[int, int, int]]]:
    """(start, length, scored) by chunk, the rule of eval_val_sliding_ttt."""
    n, length = geometry.stream_tokens - 1, geometry.seq_len
    chunks: list[list[tuple[int, int, int]]] = [[] for _ in range(geometry.n_chunks)]
    for start in range(0, n, STRIDE):
        window = min(length, n - start)
        if window >= STRIDE or start == 0:
            scored = window if start == 0 else min(STRIDE, window)
            at = (start + window - scored) // geometry.chunk_tokens
            chunks[min(at, len(chunks) - 1)].append((start, window, scored))
    return chunks


def batches(windows: list[tuple[int, int, int]]) -> Iterator[tuple[int, int, list[int]]]:
    """(length, scored, starts) of windows of one shape, at most 32 together."""
    for (length, scored), group in groupby(windows, key=lambda window: window[1:]):
        starts = [window[0] for window in group]
        for i in range(0, len(starts), BATCH):
            yield length, scored, starts[i : i + BATCH]


def counted_bytes(inputs: Tensor, targets: Tensor, table: tuple[Tensor, Tensor, Tensor]) -> Tensor:
    """() float64, as the script counts: the piece, and its space unless a boundary stood before."""
    n_bytes, leading_space, boundary = table
    spaces = leading_space[targets] & ~boundary[inputs]
    return (n_bytes[targets].double() + spaces.double()).sum()


def _now_s(device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


def _parse() -> Any:
    data = embedded_data().root
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("script", type=Path, help="the public train_gpt.py of #549")
    parser.add_argument("--size", choices=SIZES, default="record")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--chunks", type=int, default=12, help="at least 12: the script logs tens")
    parser.add_argument("--tokens", type=Path, default=data / "fineweb_train_000000.bin")
    parser.add_argument("--tokenizer", type=Path, default=data / "embedded_1024_bpe.model")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
