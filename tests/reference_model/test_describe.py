"""--describe says of a recipe what the model really is, without building it."""

import pytest
import torch

from reference_model.describe import TRAINING_ONLY, describe, tensor_facts
from reference_model.gpt import GPT
from reference_model.presets import PRESETS
from reference_model.quantize import tensor_class

# What the public logs report as model_params. #754 counts a value mix of the first layer, two
# numbers that nothing reads; here they do not exist. (The log of #1185 contradicts itself: it
# counts 27,103,748 with, it says, 1,050,624 in two heads that have 2 x 1,024 x 512.)
PUBLIC = {"record_549": 26_928_220, "record_754": 26_809_543 - 2, "seed_537": 24_634_452,
          "seed_518": 26_993_756}  # fmt: skip


@pytest.mark.parametrize("name", PUBLIC)
def test_the_total_is_the_public_one(name):
    facts = tensor_facts(PRESETS[name])

    assert sum(fact.n_parameters for fact in facts) == PUBLIC[name]
    assert f"{name}: {PUBLIC[name]:,} parameters" in describe(PRESETS[name]).splitlines()[-1]


@pytest.mark.parametrize("name", PRESETS)
def test_each_tensor_is_there_once(name):
    """Names, shapes and counts of every preset are those of the model it builds."""
    preset = PRESETS[name]
    with torch.device("meta"):
        model = GPT(preset.config)
    facts, lines = tensor_facts(preset), describe(preset).splitlines()

    assert [(f.name, f.shape) for f in facts] == [
        (n, tuple(p.shape)) for n, p in model.named_parameters()
    ]
    for fact in facts:
        line = next(x for x in lines if x.split()[:1] == [fact.name])
        assert fact.stored_as in line and f"{fact.n_parameters:,}" in line


@pytest.mark.parametrize("name", PRESETS)
def test_the_class_is_the_artifacts(name):
    """What is shipped has the class that the quantiser gives it; the other heads have none."""
    preset = PRESETS[name]
    for fact in tensor_facts(preset):
        if fact.name.startswith("mtp_heads."):
            assert fact.stored_as == TRAINING_ONLY
        else:
            assert fact.stored_as == tensor_class(fact.name, fact.shape, preset.quant)
    assert any(f.stored_as == TRAINING_ONLY for f in tensor_facts(preset)) == (
        preset.config.mtp_heads > 0
    )


def test_the_records_classes():
    """#549: banks in int6, the tied embedding and the large tables in int8, the rest in fp16."""
    stored = {fact.name: fact.stored_as for fact in tensor_facts(PRESETS["record_549"])}

    assert {stored[f"{bank}_bank"] for bank in ("qo", "kv", "mlp_up", "mlp_down")} == {"int6"}
    assert stored["tok_emb.weight"] == stored["bigram.embed.weight"] == "int8"
    assert stored["blocks.3.attn.q_gain"] == stored["skips.weights"] == "fp16"
