"""Does the reference model train as fast as the public record script #549, to the same loss?

    python benchmarks/train_speed.py SCRIPT --out FOLDER                 one GPU, the record's size
    python benchmarks/train_speed.py SCRIPT --out FOLDER --size small    runs on a CPU too

Ours runs on synthetic shards (`learnable_shards`) from the weights that the script would draw. Then
the unmodified script runs on them, as a process of its own; its `flash_attn_interface` is served by
PyTorch's own attention, its tokenizer by a table of nothing. Both take the same tokens a step and
the same updates (Muon, AdamW, clip, EMA), with bfloat16 products and float32 banks (the script's
three tables are bfloat16 besides); rates stay at their peak. Each side's clock runs between two
steps whose loss was read, once all is compiled.

Prints both rates, their ratio, the losses at every twentieth step, and where our step's time goes
against the floor of its operation count. Ours takes cuDNN's attention and as many windows at once
as are asked; the script allows flash attention alone and cuts its step into eight.
`--script-attention cudnn` shows how much of the ratio the attention's kernel is.

Exit status 0: at least 1.15 times as fast, losses within 0.02 nats. 1: not. 2: a side did not run.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import torch
from learnable_shards import write_shards
from step_breakdown import breakdown
from stubs_549 import make_importable, write_stubs

from reference_model.data.shards import read_shard
from reference_model.presets import RECORD_549, Preset
from reference_model.ranks import Ranks
from reference_model.shard_stream import ShardStream
from reference_model.trainer import Trainer

GOAL_RATIO, GOAL_NATS = 1.15, 0.02
SEED = 1337
FIRST_TIMED = 10  # steps; the script reads its loss at every one until then
SMALL = {"model_dim": 64, "n_head": 4, "n_kv_head": 2, "mlp_dim": 192, "seq_len": 128}
STEP_LINE = re.compile(r"step:(\d+)/\d+ train_loss:([\d.]+)")


@dataclass
class Side:
    """One run; the two lists go together."""

    name: str
    tokens_per_step: int
    steps: list[int] = field(default_factory=list)  # done when the loss was read
    nats: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)  # on the wall, from any origin

    def add(self, step: int, nats: float) -> None:
        self.steps.append(step)
        self.nats.append(nats)
        self.seconds.append(time.perf_counter())

    @property
    def tokens_per_s(self) -> float:
        """From the first timed step to the last; 0 where there are no two."""
        timed = [(n, s) for n, s in zip(self.steps, self.seconds, strict=True) if n >= FIRST_TIMED]
        if len(timed) < 2:
            return 0.0
        (first, start), (last, end) = timed[0], timed[-1]
        return (last - first) * self.tokens_per_step / (end - start)

    def __str__(self) -> str:
        rate = self.tokens_per_s
        step_ms = 1000 * self.tokens_per_step / rate if rate else float("nan")
        return f"{self.name}: {rate:,.0f} tokens/s, {step_ms:.1f} ms a step"


def main(argv: list[str] | None = None) -> int:
    args = _parse(argv)
    preset = _preset(args)
    args.out.mkdir(parents=True, exist_ok=True)
    shards = write_shards(args.out / "data", args.shard_tokens, preset.config.vocab_size)
    write_stubs(args.out / "stubs", args.device == "cpu")
    if args.device == "cuda":
        print(f"on {torch.cuda.get_device_name()}, PyTorch {torch.__version__}", flush=True)
    ours = None if args.only == "script" else measure_ours(args, preset, shards)
    script = None if args.only == "ours" else run_script(args, preset)
    return compare(script, ours) if script and ours else 0


def measure_ours(args: argparse.Namespace, preset: Preset, shards: list[Path]) -> Side:
    """Rate, losses and breakdown; the device is free again afterwards."""
    trainer = _trainer(args, preset, shards)
    side = run_ours(args, trainer)
    if not args.no_breakdown:
        print(breakdown(trainer), flush=True)
    trainer.windows.close()
    del trainer
    if args.device == "cuda":
        torch.cuda.empty_cache()
    return side


def compare(script: Side, ours: Side) -> int:
    """Print the table and the ratio; the exit status."""
    theirs = dict(zip(script.steps, script.nats, strict=True))
    print("step   script     ours   difference (nats)")
    worst, n_compared = 0.0, 0
    for step, nats in zip(ours.steps, ours.nats, strict=True):
        if step in theirs and step % 20 == 0:
            worst, n_compared = max(worst, abs(nats - theirs[step])), n_compared + 1
            print(f"{step:4d}  {theirs[step]:7.4f}  {nats:7.4f}  {nats - theirs[step]:+.4f}")
    if not (n_compared and script.tokens_per_s and ours.tokens_per_s):
        print("a side did not come far enough to compare")
        return 2
    ratio = ours.tokens_per_s / script.tokens_per_s
    print(f"ratio {ratio:.3f} (goal {GOAL_RATIO}), largest difference {worst:.4f} nats", flush=True)
    return 0 if ratio >= GOAL_RATIO and worst <= GOAL_NATS else 1


def _finish(args: argparse.Namespace, side: Side) -> Side:
    """Say and keep what a side gave, whatever becomes of the other."""
    print(side, flush=True)
    report = asdict(side) | {"tokens_per_s": side.tokens_per_s}
    (args.out / f"{args.label}.{side.name}.json").write_text(json.dumps(report, indent=1))
    return side


# ---------------------------------------------------------------------------------------------
# the script


def run_script(args: argparse.Namespace, preset: Preset) -> Side:
    """Start it, read its losses as they come, and end it after the last step that is asked."""
    side = Side("script", preset.batch_size * preset.config.seq_len)
    with (
        open(args.out / f"{args.label}.script.log", "w") as log,
        subprocess.Popen(
            [sys.executable, "-u", str(args.script.resolve())],
            cwd=args.out,
            env=os.environ | script_environment(args, preset),
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        ) as process,
    ):
        for step, nats in _losses(process, log):
            side.add(step, nats)
            if step % 20 == 0:
                print(f"script step {step} {nats:.4f}", flush=True)
            if step >= args.steps:
                break
        process.terminate()
    return _finish(args, side)


def _losses(process: subprocess.Popen[str], log) -> Iterator[tuple[int, float]]:
    for line in process.stdout or ():
        log.write(line)
        if match := STEP_LINE.match(line):
            yield int(match[1]), float(match[2])


def script_environment(args: argparse.Namespace, preset: Preset) -> dict[str, str]:
    """Its own switches. Warm-down, late QAT, evaluation and the clock are out of the way."""
    config = preset.config
    values = {
        "SEED": SEED,
        "DATA_PATH": (args.out / "data").resolve(),
        "TOKENIZER_PATH": (args.out / "none.model").resolve(),
        "PYTHONPATH": (args.out / "stubs").resolve(),
        "SCRIPT_ATTENTION": args.script_attention,
        "ITERATIONS": args.steps + 1_000,
        "WARMDOWN_ITERS": 0,
        "LATE_QAT_THRESHOLD": 0,
        "WARMUP_STEPS": 3,
        "VAL_LOSS_EVERY": 0,
        "TRAIN_LOG_EVERY": 20 if args.steps >= 20 else 1,
        "MAX_WALLCLOCK_SECONDS": 0,
        "TRAIN_BATCH_TOKENS": preset.batch_size * config.seq_len,
        "TRAIN_SEQ_LEN": config.seq_len,
        "EVAL_SEQ_LEN": config.seq_len,
        "MODEL_DIM": config.model_dim,
        "NUM_HEADS": config.n_head,
        "NUM_KV_HEADS": config.n_kv_head,
        "BIGRAM_VOCAB_SIZE": config.bigram_buckets,
    }
    return {name: str(value) for name, value in values.items()}


# ---------------------------------------------------------------------------------------------
# ours


def run_ours(args: argparse.Namespace, trainer: Trainer) -> Side:
    side = Side("ours", trainer.preset.batch_size * trainer.preset.config.seq_len)
    start = time.perf_counter()
    trainer.warm_up()
    print(f"ours: compiled in {time.perf_counter() - start:.0f} s", flush=True)
    while trainer.step < args.steps:
        loss = trainer.train_step()
        if trainer.step <= FIRST_TIMED or trainer.step % 20 == 0 or trainer.step == args.steps:
            side.add(trainer.step, trainer.loss_value(loss))
        if trainer.step % 20 == 0:
            print(f"ours step {trainer.step} {side.nats[-1]:.4f}", flush=True)
    if args.device == "cuda":
        print(f"ours: {torch.cuda.max_memory_allocated() / 2**30:.1f} GiB at most", flush=True)
    return _finish(args, side)


def _trainer(args: argparse.Namespace, preset: Preset, shards: list[Path]) -> Trainer:
    ranks = Ranks.join(args.device)
    windows = ShardStream(tuple(map(read_shard, shards)), preset.batch_size, preset.config.seq_len)
    trainer = Trainer(preset, windows, SEED, ranks)
    _start_as_the_script(args, trainer)
    return trainer


@torch.no_grad()
def _start_as_the_script(args: argparse.Namespace, trainer: Trainer) -> None:
    """Our weights become those that the script draws for its seed, in its order."""
    os.environ |= script_environment(args, trainer.preset)
    make_importable(args.out / "stubs")
    from parity_549 import build_theirs, load_script, to_theirs

    script = load_script(args.script)
    torch.manual_seed(SEED)
    theirs = build_theirs(script, trainer.model).state_dict()
    for name, weight in to_theirs(dict(trainer.model.named_parameters())).items():
        weight.copy_(theirs[name])
    if trainer.ema:
        trainer.ema.load(dict(trainer.model.named_parameters()))


def _preset(args: argparse.Namespace) -> Preset:
    """The record's, its rates at their peak throughout, as the script's are here."""
    preset = RECORD_549
    if args.size == "small":
        preset = replace(preset, config=replace(preset.config, **SMALL), batch_size=64)
    return replace(
        preset,
        schedule=replace(preset.schedule, n_steps=args.steps + 1_000, warmdown_steps=0),
        micro_windows=args.micro_windows or preset.batch_size // 8,
        compiled=args.device == "cuda",
        discarded_steps=3,
        budget_s=None,
    )


def _parse(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python benchmarks/train_speed.py", description=__doc__.splitlines()[0]
    )
    has_gpu = torch.cuda.is_available()
    parser.add_argument("script", type=Path, help="the public train_gpt.py of #549")
    parser.add_argument("--out", type=Path, required=True, help="folder for data, logs, results")
    parser.add_argument("--label", default="train_speed", help="name of this run's results")
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--size", choices=["record", "small"], default="record")
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda" if has_gpu else "cpu")
    parser.add_argument("--only", choices=["script", "ours"], help="one side alone")
    parser.add_argument("--micro-windows", type=int, help="ours at once (default: an eighth)")
    parser.add_argument("--script-attention", choices=["flash", "cudnn"], default="flash")
    parser.add_argument("--shard-tokens", type=int, default=None, help="a shard; two are made")
    parser.add_argument("--no-breakdown", action="store_true")
    args = parser.parse_args(argv)
    args.shard_tokens = args.shard_tokens or (20_000_000 if args.size == "record" else 500_000)
    return args


if __name__ == "__main__":
    sys.exit(main())
