"""Train the reference model and write its artifact.

Guarantees: same seed, data and number of threads, same artifact, bit for bit, on CPU; killed at any
moment, the same command goes on where it was; what is reported as the artifact's bits-per-byte was
measured on the artifact, read back from its file.
Does not cover: the honest evaluation of a submission (the harness), training on several devices.
"""

import argparse
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path

import torch
from tqdm import tqdm

from reference_model.artifact import ArtifactError, load_artifact, save_artifact
from reference_model.data.byte_count import ByteTable
from reference_model.data.corpus import embedded_data
from reference_model.data.errors import DataError
from reference_model.data.folder import DataFolder
from reference_model.gpt import GPT
from reference_model.loss_eval import ValidationLoss, evaluate
from reference_model.presets import PRESETS, Preset
from reference_model.quantize import QuantizationError
from reference_model.run_folder import RunFolder
from reference_model.trainer import Trainer, TrainingError

EMBEDDED_CACHE = Path(".scorefirst/data/embedded")
LOG_EVERY = 10  # steps
TRAIN_TOKENS_IN_MEMORY = 200_000_000  # two of the challenge's shards, 400 MB; presets see far less
CPU_THREADS = 2  # fixed: sums are grouped by thread, so another number gives other last bits

EXAMPLES = """\
examples:
  python -m reference_model.train --preset tiny --out runs/tiny
  python -m reference_model.train --preset tiny --out runs/wiki --data data/wikitext --seed 1

--out gets artifact.bin (its size is what a budget counts), result.json, train.jsonl and
settings.json. Stopped or killed, the same command goes on; complete, it does nothing.
"""


def main(argv: list[str] | None = None) -> int:
    args = _parse(argv)
    torch.set_num_threads(args.threads)
    try:
        run(args)
    except (DataError, TrainingError, QuantizationError, ArtifactError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nstopped; the same command goes on from the last checkpoint", file=sys.stderr)
        return 130
    return 0


def run(args: argparse.Namespace) -> None:
    data = _open_data(args.data)
    preset = _preset(args, data)
    facts = {
        "preset": preset.name,
        "seed": args.seed,
        "n_steps": preset.n_steps,
        "data_fingerprint": data.fingerprint(),
        "device": args.device,
        "threads": args.threads,
    }
    folder = RunFolder.claim(args.out, {**facts, "recipe": asdict(preset)})
    if result := folder.result():
        print(f"{args.out}: complete, nothing to do")
    else:
        tokens = data.train_tokens(TRAIN_TOKENS_IN_MEMORY)
        trainer = Trainer(preset, tokens, args.seed, torch.device(args.device))
        step_s = _train(trainer, folder)
        result = _ship(trainer, folder, data, facts) | {"train_wall_s_per_step": step_s}
        folder.finish(result)
    _report(result)


def _train(trainer: Trainer, folder: RunFolder) -> float | None:
    """Take the steps that are left; the seconds of one, None when none was left."""
    if folder.checkpoint.exists():
        trainer.load(folder.checkpoint)
        print(f"resumed after step {trainer.step}")
    folder.rewind_log(trainer.step)
    n_steps, every = trainer.preset.n_steps, trainer.preset.checkpoint_every
    first, start = trainer.step, time.monotonic()
    with tqdm(total=n_steps, initial=trainer.step, unit="step", mininterval=1.0) as bar:
        while trainer.step < n_steps:
            loss = trainer.train_step()
            bar.update()
            if trainer.step % LOG_EVERY == 0 or trainer.step == n_steps:
                bar.set_postfix_str(f"{loss:.3f} nats/token")
                folder.log({"step": trainer.step, "nats_per_token": loss})
            if trainer.step % every == 0 or trainer.step == n_steps:
                trainer.save(folder.checkpoint)
    steps = trainer.step - first
    return round((time.monotonic() - start) / steps, 4) if steps else None


def _ship(trainer: Trainer, folder: RunFolder, data: DataFolder, facts: dict) -> dict:
    """Evaluate the averaged weights, write the artifact, evaluate what it gives back."""
    trainer.ema.copy_to(trainer.model)
    before = _validate(trainer.model, data, trainer.preset.val_tokens)
    metadata = {
        **facts,
        "tokenizer_sha256": data.tokenizer_sha256(),
        "calibration_data": "none: clips are chosen by the weights' own reconstruction error",
    }
    artifact = save_artifact(folder.artifact, trainer.model, metadata)
    model, _ = load_artifact(artifact.path, trainer.device)
    after = _validate(model, data, trainer.preset.val_tokens)
    return {
        **metadata,
        "n_parameters": trainer.model.n_parameters,
        "val_bits_per_byte_float": before.bits_per_byte,
        "val_bits_per_byte": after.bits_per_byte,
        "val_nats_per_token": after.nats / after.n_tokens,
        "val_tokens": after.n_tokens,
        "val_bytes": after.n_bytes,
        "artifact_bytes": artifact.n_bytes,
        "artifact_sha256": artifact.sha256,
    }


def _validate(model: GPT, data: DataFolder, limit: int) -> ValidationLoss:
    tokens = data.validation_tokens()[: limit + 1]
    return evaluate(model, tokens, ByteTable.from_tokenizer(data.load_tokenizer()))


def _report(result: dict) -> None:
    print(
        f"{result['n_parameters']:,} parameters, {result['n_steps']} steps, seed {result['seed']}\n"
        f"validation, {result['val_tokens']:,} tokens of {result['val_bytes']:,} bytes:\n"
        f"  {result['val_bits_per_byte_float']:.4f} bits per byte before quantisation\n"
        f"  {result['val_bits_per_byte']:.4f} bits per byte after it, read back from the artifact\n"
        f"artifact: {result['artifact_bytes']:,} bytes, sha256 {result['artifact_sha256']}"
    )


def _open_data(path: Path | None) -> DataFolder:
    if path is not None:
        return DataFolder.open(path)
    print(f"data: the embedded corpus, in {EMBEDDED_CACHE}")
    return embedded_data(EMBEDDED_CACHE)


def _preset(args: argparse.Namespace, data: DataFolder) -> Preset:
    """The named preset, fitted to the data's vocabulary and to --steps."""
    preset = PRESETS[args.preset]
    config = replace(preset.config, vocab_size=data.vocab_size)
    return replace(preset, config=config, n_steps=args.steps or preset.n_steps)


def _parse(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m reference_model.train",
        description="Train the reference model and write its artifact.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--preset", choices=PRESETS, default="tiny", help="recipe (default tiny)")
    parser.add_argument("--out", type=Path, required=True, help="folder of this run")
    parser.add_argument("--data", type=Path, help="data folder (default: the embedded corpus)")
    parser.add_argument("--seed", type=_natural, default=0, help="default 0")
    parser.add_argument("--steps", type=_positive, help="instead of the preset's")
    parser.add_argument("--device", type=_device, default="cpu", help="default cpu; cuda, ...")
    parser.add_argument("--threads", type=_positive, default=CPU_THREADS, help="default 2, CPU")
    return parser.parse_args(argv)


def _natural(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"expected a whole number, got {text!r}")
    return int(text)


def _positive(text: str) -> int:
    if (value := _natural(text)) < 1:
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
