"""Train a recipe under several seeds, and say what the seeds say together.

Every seed is a run of `reference_model.train` of its own, in `--out`/seed_N; killed, the same
command goes on where it was, and complete runs are not repeated. Written at the end:

    replication.json   each seed's result; mean, sample deviation and standard error
    submission.json    what the contest asks of a folder

Guarantees: the deviation is the sample's (over n - 1); a run of another recipe or other data is
refused, as `train` refuses it. Does not cover: whether a difference between two recipes is one.
"""

import argparse
import json
import math
import os
import statistics
import sys
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from reference_model import train
from reference_model.presets import PRESETS
from reference_model.train import natural

EXAMPLE = """\
example:
  python -m reference_model.replicate --preset tiny --seeds 1337 42 2025 --out runs/tiny3 \\
      --author "A. Name" --github-id name

Options that it does not know itself are handed to reference_model.train (--data, --steps, ...).
"""


@dataclass(frozen=True)
class Summary:
    """Of one number over the seeds."""

    mean: float
    deviation: float | None  # the sample's; None for one seed
    standard_error: float | None

    @classmethod
    def of(cls, values: list[float]) -> "Summary":
        if len(values) < 2:
            return cls(values[0], None, None)
        deviation = statistics.stdev(values)
        return cls(statistics.fmean(values), deviation, deviation / math.sqrt(len(values)))


def main(argv: list[str] | None = None) -> int:
    args, rest = _parse(argv)
    results: dict[int, dict] = {}
    for seed in args.seeds:
        out = args.out / f"seed_{seed}"
        options = ["--preset", args.preset, "--seed", str(seed), "--out", str(out)]
        if code := train.main([*options, *rest]):
            return code
        if _leads():
            results[seed] = json.loads((out / "result.json").read_text())
    if _leads():
        write(args, results)
    return 0


def write(args: argparse.Namespace, results: dict[int, dict]) -> None:
    """Both files, and the summary on the screen."""
    bits = Summary.of([r["val_bits_per_byte"] for r in results.values()])
    replication = {
        "preset": args.preset,
        "val_bits_per_byte": asdict(bits),
        "val_nats_per_token": asdict(
            Summary.of([r["val_nats_per_token"] for r in results.values()])
        ),
        "results": {str(seed): result for seed, result in results.items()},
    }
    _write(args.out / "replication.json", replication)
    _write(args.out / "submission.json", submission(args, results))
    spread = "" if bits.deviation is None else f", sample deviation {bits.deviation:.4f}"
    print(f"{len(results)} seeds: {bits.mean:.4f} bits per byte{spread}")


def submission(args: argparse.Namespace, results: dict[int, dict]) -> dict:
    """The contest's fields, as #549 and #1185 name them, each from a result."""
    nats = Summary.of([r["val_nats_per_token"] for r in results.values()])
    bits = Summary.of([r["val_bits_per_byte"] for r in results.values()])
    code = next(iter(results.values()))["code_bytes"]
    return {
        "author": args.author,
        "github_id": args.github_id,
        "name": args.name or args.preset,
        "blurb": f"Recipe {args.preset} of scorefirst's reference model, {len(results)} seeds.",
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "val_loss": nats.mean,
        "val_bpb": bits.mean,
        "val_loss_std": nats.deviation,
        "val_bpb_std": bits.deviation,
        "seeds": list(results),
        "seed_results": {str(seed): _seed_result(r) for seed, r in results.items()},
        "bytes_total": max(r["artifact_bytes"] for r in results.values()) + code,
        "bytes_code": code,
    }


def _seed_result(result: dict) -> dict:
    return {
        "val_loss": result["val_nats_per_token"],
        "val_bpb": result["val_bits_per_byte"],
        "artifact_bytes": result["artifact_bytes"],
        "steps": result["steps_taken"],
        "train_time_ms": round(1000 * result["train_wall_s"]),
    }


def _leads() -> bool:
    """Under torchrun the first process writes."""
    return os.environ.get("RANK", "0") == "0"


def _write(path: Path, content: dict) -> None:
    partial = path.with_name(f".{path.name}.partial")
    partial.write_text(json.dumps(content, indent=2) + "\n")
    os.replace(partial, path)


def _parse(argv: list[str] | None) -> tuple[argparse.Namespace, list[str]]:
    parser = argparse.ArgumentParser(
        prog="python -m reference_model.replicate",
        description="Train a recipe under several seeds; mean, deviation, submission.json.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--preset", choices=PRESETS, default="tiny", help="recipe (default tiny)")
    parser.add_argument("--seeds", type=natural, nargs="+", required=True)
    parser.add_argument("--out", type=Path, required=True, help="folder of all runs")
    parser.add_argument("--author", default="", help="for submission.json")
    parser.add_argument("--github-id", default="", help="for submission.json")
    parser.add_argument("--name", default="", help="for submission.json (default: the preset)")
    args, rest = parser.parse_known_args(argv)
    if len(set(args.seeds)) < len(args.seeds):
        parser.error("--seeds names a seed twice")
    return args, rest


if __name__ == "__main__":
    sys.exit(main())
