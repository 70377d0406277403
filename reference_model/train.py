"""Train the reference model and write its artifact.

    python -m reference_model.train --preset tiny --out runs/tiny
    python -m reference_model.train --preset tiny --out runs/wiki --data data/wikitext --seed 1

Without --data it trains on the embedded corpus, built on first use in .scorefirst/data/embedded.
The folder --out gets:

    artifact.bin      the quantised model; its size is what a budget counts
    result.json       sizes and bits-per-byte, before and after quantisation
    train.jsonl       one line a logged step
    settings.json     what this folder's run is, so that another one does not mix with it
    checkpoint.pt     while training; gone when the run is complete

Killed or stopped (Ctrl-C), the same command goes on where it was; complete, it does nothing.
"""

import argparse
import dataclasses
import json
import os
import sys
import time
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from reference_model.artifact import ArtifactError, load_artifact, save_artifact
from reference_model.data.byte_count import ByteTable
from reference_model.data.corpus import embedded_data
from reference_model.data.errors import DataError
from reference_model.data.folder import DataFolder
from reference_model.loss_eval import ValidationLoss, evaluate
from reference_model.presets import PRESETS, Preset
from reference_model.quantize import QuantizationError
from reference_model.trainer import Trainer, TrainingError

EMBEDDED_CACHE = Path(".scorefirst/data/embedded")
LOG_EVERY = 10  # steps
CPU_THREADS = 2  # fixed: sums are grouped by thread, so another number gives other last bits


def main(argv: list[str] | None = None) -> int:
    args = _parse(argv)
    try:
        run(args)
    except (DataError, TrainingError, ArtifactError, QuantizationError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped; the same command goes on from the last checkpoint", file=sys.stderr)
        return 130
    return 0
