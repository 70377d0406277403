"""From a trained run to what is handed in: averaged weights, their artifact, its loss.

Guarantees: the reported bits-per-byte is that of the artifact, read back from its file; artifact
and code together are measured against the contest's 16,000,000 bytes, calibration and training
together against the recipe's seconds, and the metadata says what data calibration saw (DATA-3).
Does not cover: a model that is too large: it is written, and reported as too large.
"""

import time

import torch

from reference_model.artifact import MAX_BYTES, code_bytes, load_artifact, save_artifact
from reference_model.data.byte_count import ByteTable
from reference_model.data.folder import DataFolder
from reference_model.gpt import GPT
from reference_model.loss_eval import ValidationLoss, evaluate
from reference_model.run_folder import RunFolder
from reference_model.trainer import Trainer

CALIBRATION_DATA = "none: clips are chosen by the weights' own reconstruction error"


def ship(trainer: Trainer, folder: RunFolder, data: DataFolder, facts: dict) -> dict:
    """Write the artifact; what the run reports. Changes the model's weights to the averaged."""
    preset = trainer.preset
    weights = trainer.shipped_weights()
    with torch.no_grad():
        for name, p in trainer.model.named_parameters():
            p.copy_(weights[name])
    before = validate(trainer.model, data, preset.val_tokens)
    metadata = {
        **facts,
        "tokenizer_sha256": data.tokenizer_sha256(),
        "calibration_data": CALIBRATION_DATA,
    }
    artifact = save_artifact(
        folder.artifact, trainer.model, metadata, preset.quant, preset.compressor
    )
    model, _ = load_artifact(artifact.path, trainer.ranks.device)
    model.compute_dtype = trainer.model.compute_dtype
    start = time.perf_counter()
    after = validate(model, data, preset.val_tokens)
    return {
        **metadata,
        "n_parameters": model.n_parameters,
        "val_bits_per_byte_float": before.bits_per_byte,
        "val_bits_per_byte": after.bits_per_byte,
        "val_nats_per_token": after.nats / after.n_tokens,
        "val_tokens": after.n_tokens,
        "val_bytes": after.n_bytes,
        "artifact_bytes": artifact.n_bytes,
        "artifact_sha256": artifact.sha256,
        "code_bytes": code_bytes(),
        "within_bytes": artifact.n_bytes + code_bytes() <= MAX_BYTES,
        **_seconds(trainer, artifact.calibration_s),
        "eval_wall_s": round(time.perf_counter() - start, 3),
    }


def validate(model: GPT, data: DataFolder, limit: int) -> ValidationLoss:
    tokens = data.validation_tokens()[: limit + 1]
    return evaluate(model, tokens, ByteTable.from_tokenizer(data.load_tokenizer()))


def _seconds(trainer: Trainer, calibration_s: float) -> dict:
    train_s, budget_s = trainer.clock.seconds, trainer.preset.budget_s
    return {
        "steps_taken": trainer.step,
        "train_wall_s": round(train_s, 3),
        "calibration_wall_s": round(calibration_s, 3),
        "budget_s": budget_s,
        "within_budget": budget_s is None or train_s + calibration_s <= budget_s,
    }
