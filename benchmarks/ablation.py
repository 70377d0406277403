"""LeakyReLU(0.5)^2 against ReLU^2, and score-first TTT against none.

    python benchmarks/ablation.py

Small models on the embedded corpus (`--data` for another), three seeds an arm. The two activations
differ in nothing else: same seed, same windows in the same order, same starting weights; both are
compared after quantisation, read back from the artifact. TTT (recipe of #549, in chunks of 4,096
tokens) and the frozen model share the LeakyReLU artifacts and the sliding windows. Differences are
taken seed by seed; their error is the standard error of the mean over seeds, and the interval is
Student's. It is one size on one text: the sign of a difference here says little about the record's.

Resumable: finished arms lie in `--out`, a training that was stopped goes on. About four minutes on
two free cores.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from scipy.stats import t as student

from harness.engines import ENGINES
from harness.predictor import Geometry, PredictorContext
from harness.streams.stream import Stream, validation_stream
from harness.streams.windows import chunks
from reference_model.data.corpus import embedded_data
from reference_model.data.folder import DataFolder
from reference_model.presets import PRESETS, TINY
from reference_model.train import main as train

CONFIG = replace(TINY.config, model_dim=128, mlp_dim=384)
STEPS, BATCH_WINDOWS, THREADS = 300, 8, 2
ACTIVATIONS = ("leaky_relu2", "relu2")
STRIDE, CHUNK_TOKENS = 64, 4_096
ADAPTATIONS: dict[str, dict[str, object]] = {
    "sliding_window": {},
    "score_first_ttt": {"recipe": "record_549"},
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, default=Path("reports/ablation"))
    parser.add_argument("--data", type=Path, help="a folder of shards; else the embedded corpus")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--val-tokens", type=int, default=65_536)
    options = parser.parse_args()
    if len(options.seeds) < 2:
        parser.error("an error needs two seeds at least")
    data = DataFolder.open(options.data) if options.data else embedded_data()
    torch.set_num_threads(THREADS)
    stream = validation_stream(data, options.val_tokens)
    trained: dict[str, list[float]] = {name: [] for name in ACTIVATIONS}
    adapted: dict[str, list[float]] = {name: [] for name in ADAPTATIONS}
    for seed in options.seeds:
        for name in ACTIVATIONS:
            folder = options.out / f"{name}-{seed}"
            trained[name].append(bits_trained(name, seed, folder, data))
        for name in ADAPTATIONS:
            folder = options.out / f"{ACTIVATIONS[0]}-{seed}"
            adapted[name].append(bits_adapted(name, folder, data, stream))
    print(difference("LeakyReLU^2 minus ReLU^2", trained["leaky_relu2"], trained["relu2"]))
    frozen, ttt = adapted["sliding_window"], adapted["score_first_ttt"]
    print(difference("score-first TTT minus none", ttt, frozen))
    return 0


def bits_trained(activation: str, seed: int, folder: Path, data: DataFolder) -> float:
    """Bits per byte of the artifact, plain windows; trains where that is not done."""
    name = f"ablation_{activation}"
    config = replace(CONFIG, mlp_activation=activation)
    PRESETS[name] = replace(
        TINY, name=name, config=config, batch_size=BATCH_WINDOWS, micro_windows=BATCH_WINDOWS
    ).with_steps(STEPS)
    argv = ["--preset", name, "--out", str(folder), "--seed", str(seed)]
    if train([*argv, "--data", str(data.root), "--threads", str(THREADS)]):
        sys.exit(f"{folder}: the training stopped; see above")
    result = json.loads((folder / "result.json").read_text())
    return float(result["val_bits_per_byte"])


def bits_adapted(engine: str, folder: Path, data: DataFolder, stream: Stream) -> float:
    """Bits per byte under an engine; kept beside the artifact."""
    kept = folder / f"{engine}-{len(stream.tokens)}.json"
    if not kept.exists():
        start = time.perf_counter()
        bits = evaluate(engine, folder / "artifact.bin", data, stream)
        seconds = time.perf_counter() - start
        print(f"{folder.name} {engine}: {bits:.5f} bits per byte in {seconds:.0f} s", flush=True)
        kept.write_text(json.dumps({"bits_per_byte": bits, "seconds": seconds}))
    return float(json.loads(kept.read_text())["bits_per_byte"])


def evaluate(engine: str, artifact: Path, data: DataFolder, stream: Stream) -> float:
    """The referee's order of questions, without its walls and probes: the engines are ours."""
    geometry = Geometry(CONFIG.seq_len, STRIDE, CHUNK_TOKENS, len(stream.tokens))
    settings = ADAPTATIONS[engine]
    context = PredictorContext(
        artifact, data.tokenizer, artifact.parent, geometry, settings, "cpu", seed=0
    )
    predictor = ENGINES[engine](context)
    nats = 0.0
    for chunk in chunks(geometry, stream.alphabet.size):
        for batch in chunk.batches:
            with torch.inference_mode():
                windows = torch.from_numpy(batch.inputs(stream.tokens))
                rows = predictor.log_probs(windows, batch.scored).flatten(0, 1).numpy()
            targets = stream.tokens[batch.targets.start : batch.targets.stop]
            nats -= rows[np.arange(len(rows)), targets].astype(np.float64).sum()
        if chunk.stop < len(stream.tokens):
            predictor.adapt(torch.from_numpy(stream.tokens[chunk.start - 1 : chunk.stop]))
    return float(nats) / math.log(2) / stream.n_bytes


def difference(what: str, a: list[float], b: list[float]) -> str:
    """Mean of a - b over the seeds, with its standard error and 95 % interval."""
    found = [x - y for x, y in zip(a, b, strict=True)]
    mean, error = statistics.mean(found), statistics.stdev(found) / math.sqrt(len(found))
    reach = float(student.ppf(0.975, len(found) - 1)) * error
    shown = ", ".join(f"{x:+.5f}" for x in found)
    levels = f"{statistics.mean(a):.5f} and {statistics.mean(b):.5f}"
    return (
        f"{what}: {mean:+.5f} +/- {error:.5f} bits per byte (95 %: {mean - reach:+.5f} to"
        f" {mean + reach:+.5f}); by seed {shown}; levels {levels}"
    )


if __name__ == "__main__":
    sys.exit(main())
