"""Train the reference model and write its artifact.

Guarantees: same seed, data and number of threads, same artifact, bit for bit, on CPU, where the
recipe counts steps and not seconds; killed at any moment, the same command goes on where it was;
what is reported as the artifact's bits-per-byte was measured on the artifact, read back from its
file. Started by torchrun, the processes share the run.
Does not cover: the honest evaluation of a submission (the harness).
"""

import argparse
import sys
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import torch
from tqdm import tqdm

from reference_model.artifact import MAX_BYTES, ArtifactError
from reference_model.batches import Batches
from reference_model.contest_log import (
    artifact_lines,
    roundtrip_line,
    step_line,
    validation_line,
)
from reference_model.data.corpus import embedded_data
from reference_model.data.errors import DataError
from reference_model.data.folder import DataFolder
from reference_model.data.shards import read_shard
from reference_model.describe import describe
from reference_model.prefetch import Source
from reference_model.presets import PRESETS, Preset
from reference_model.quantize import QuantizationError
from reference_model.ranks import Ranks, RanksError
from reference_model.run_folder import RunFolder
from reference_model.shard_stream import ShardStream
from reference_model.shipping import ship
from reference_model.trainer import Trainer, TrainingError

TRAIN_TOKENS_IN_MEMORY = 200_000_000  # two of the challenge's shards, 400 MB; presets see far less
CPU_THREADS = 2  # fixed: sums are grouped by thread, so another number gives other last bits

PROG = "python -m reference_model.train"  # scorefirst calls it by another name
EXAMPLES = """\
examples:
  {prog} --preset tiny --out runs/tiny
  {prog} --preset tiny --out runs/wiki --data data/wikitext --seed 1
  torchrun --standalone --nproc_per_node=8 -m reference_model.train --preset record_549 \\
      --data data/datasets/fineweb10B_sp1024 --device cuda --out runs/record
  {prog} --preset record_549 --describe

--out gets artifact.bin (its size is what a budget counts), result.json, train.jsonl, train.log (the
contest's lines) and settings.json. Stopped or killed, the same command goes on; complete, it does
nothing.
"""


def main(argv: list[str] | None = None, prog: str = PROG) -> int:
    args = _parse(argv, prog)
    torch.set_num_threads(args.threads)
    try:
        if args.describe:
            print(describe(PRESETS[args.preset]))
        else:
            run(args)
    except (
        DataError, TrainingError, QuantizationError, ArtifactError, RanksError, OSError,
    ) as error:  # fmt: skip
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nstopped; the same command goes on from the last checkpoint", file=sys.stderr)
        return 130
    return 0


def run(args: argparse.Namespace) -> dict:
    """The run's result, trained or found complete."""
    ranks = Ranks.join(args.device)
    try:
        data = _open_data(args.data, quiet=not ranks.leads)
        preset = _preset(args, data)
        facts = {
            "preset": preset.name,
            "seed": args.seed,
            "n_steps": preset.n_steps,
            "data_fingerprint": data.fingerprint() if ranks.leads else "",
            "device": args.device,
            "threads": args.threads,
        }
        folder = RunFolder(args.out)
        if ranks.leads:
            folder = RunFolder.claim(args.out, {**facts, "recipe": asdict(preset)})
        result = _result(folder, ranks)
        if result is not None:
            _say(ranks, f"{args.out}: complete, nothing to do")
        else:
            trainer = Trainer(preset, _source(preset, data, args.seed), args.seed, ranks)
            result = _work(trainer, folder, data, facts)
        if ranks.leads:
            _report(result)
        return result
    finally:
        ranks.leave()


def _work(trainer: Trainer, folder: RunFolder, data: DataFolder, facts: dict) -> dict:
    """Take the steps that are left, then ship; processes that do not lead only train."""
    try:
        _train(trainer, folder)
    finally:
        trainer.windows.close()
    if not trainer.ranks.leads:
        return {}
    result = ship(trainer, folder, data, facts)
    loss, bits = result["val_nats_per_token"], result["val_bits_per_byte"]
    n_steps, train_s = trainer.preset.n_steps, trainer.clock.seconds
    folder.say(validation_line(trainer.step, n_steps, loss, bits, train_s))
    sizes = result["artifact_bytes"], result["code_bytes"]
    for line in artifact_lines(trainer.preset.compressor, *sizes):
        folder.say(line)
    folder.say(roundtrip_line(loss, bits))
    folder.finish(result)
    return result


def _train(trainer: Trainer, folder: RunFolder) -> None:
    preset, leads = trainer.preset, trainer.ranks.leads
    trainer.warm_up()
    if trainer.ranks.agree(folder.checkpoint.exists()):
        trainer.load(folder.checkpoint)
        _say(trainer.ranks, f"resumed after step {trainer.step}")
    if leads:
        folder.rewind_log(trainer.step)
    trainer.clock.start()
    with tqdm(
        total=preset.n_steps, initial=trainer.step, unit="step", mininterval=1.0, disable=not leads
    ) as bar:
        while not (finished := _finished(trainer)):
            loss = trainer.train_step()
            finished = _finished(trainer)
            bar.update()
            if trainer.step % preset.log_every == 0 or finished:
                _log(trainer, folder, trainer.loss_value(loss), bar.set_postfix_str)
            if trainer.step % preset.checkpoint_every == 0 or finished:
                trainer.loss_value(loss)  # a diverged run is not saved over a good one
                trainer.save(folder.checkpoint)
    trainer.clock.stop()


def _finished(trainer: Trainer) -> bool:
    """All steps taken, or all seconds used."""
    if trainer.step >= trainer.preset.n_steps:
        return True
    limit_s = trainer.preset.training_s
    return limit_s is not None and trainer.ranks.agree(trainer.clock.seconds) >= limit_s


def _log(trainer: Trainer, folder: RunFolder, loss: float, show: Callable[[str], None]) -> None:
    if trainer.ranks.leads:
        show(f"{loss:.3f} nats/token")
        folder.log({"step": trainer.step, "nats_per_token": loss})
        n_steps, train_s = trainer.preset.n_steps, trainer.clock.seconds
        folder.say(step_line(trainer.step, n_steps, loss, train_s))


def _result(folder: RunFolder, ranks: Ranks) -> dict | None:
    """What a complete run reported, on all processes or on none."""
    result = folder.result() if ranks.leads else {}
    complete = ranks.agree(result is not None)
    return result if complete else None


def _source(preset: Preset, data: DataFolder, seed: int) -> Source:
    size, seq_len = preset.batch_size, preset.config.seq_len
    if preset.reads == "in order":
        return ShardStream(tuple(map(read_shard, data.train_shards)), size, seq_len)
    return Batches(data.train_tokens(TRAIN_TOKENS_IN_MEMORY), size, seq_len, seed)


def _report(result: dict) -> None:
    print(
        f"{result['n_parameters']:,} parameters, {result['steps_taken']} steps, "
        f"seed {result['seed']}\n"
        f"validation, {result['val_tokens']:,} tokens of {result['val_bytes']:,} bytes:\n"
        f"  {result['val_bits_per_byte_float']:.4f} bits per byte before quantisation\n"
        f"  {result['val_bits_per_byte']:.4f} bits per byte after it, read back from the artifact\n"
        f"artifact: {result['artifact_bytes']:,} bytes, sha256 {result['artifact_sha256']}"
    )
    if not result["within_bytes"]:
        print(f"TOO LARGE: with {result['code_bytes']:,} bytes of code it exceeds {MAX_BYTES:,}")
    if not result["within_budget"]:
        print(f"TOO LONG: training and calibration exceed {result['budget_s']:.0f} s")


def _say(ranks: Ranks, text: str) -> None:
    if ranks.leads:
        print(text)


def _open_data(path: Path | None, quiet: bool) -> DataFolder:
    if path is not None:
        return DataFolder.open(path)
    data = embedded_data()
    if not quiet:
        print(f"data: the embedded corpus, in {data.root}")
    return data


def _preset(args: argparse.Namespace, data: DataFolder) -> Preset:
    """The named preset, fitted to the data's vocabulary and to --steps."""
    preset = PRESETS[args.preset]
    preset = replace(preset, config=replace(preset.config, vocab_size=data.vocab_size))
    return preset.with_steps(args.steps) if args.steps else preset


def _parse(argv: list[str] | None, prog: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog=prog,
        description="Train the reference model and write its artifact.",
        epilog=EXAMPLES.format(prog=prog),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--preset", choices=PRESETS, default="tiny", help="recipe (default tiny)")
    parser.add_argument("--out", type=Path, help="folder of this run")
    parser.add_argument("--describe", action="store_true", help="print the tensors, train nothing")
    parser.add_argument("--data", type=Path, help="data folder (default: the embedded corpus)")
    parser.add_argument("--seed", type=natural, default=0, help="default 0")
    parser.add_argument("--steps", type=positive, help="instead of the preset's")
    parser.add_argument("--device", type=_device, default="cpu", help="default cpu; cuda, ...")
    parser.add_argument("--threads", type=positive, default=CPU_THREADS, help="default 2, CPU")
    args = parser.parse_args(argv)
    if not (args.out or args.describe):
        parser.error("the following arguments are required: --out")
    return args


def natural(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"expected a whole number, got {text!r}")
    return int(text)


def positive(text: str) -> int:
    if (value := natural(text)) < 1:
        raise argparse.ArgumentTypeError("expected at least 1")
    return value


def _device(text: str) -> str:
    try:
        torch.zeros(1, device=text)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise argparse.ArgumentTypeError(f"this machine has no {text!r} ({reason})") from error
    return text


if __name__ == "__main__":
    sys.exit(main())
