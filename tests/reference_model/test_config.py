"""A config that exists is one a model can be built from."""

import json
from dataclasses import fields, replace

import pytest
import torch

from reference_model.config import ConfigError, ModelConfig
from reference_model.gpt import GPT

CONFIG = ModelConfig(model_dim=32, n_head=4, n_kv_head=2, rope_dims=4, seq_len=16)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("vocab_size", 0), ("vocab_size", 70_000), ("n_layer", 10**9), ("model_dim", 33),
        ("n_kv_head", 3), ("rope_dims", 3), ("rope_dims", 10), ("n_head", 2.0), ("seq_len", True),
        ("logit_softcap", float("nan")), ("rope_base", -1.0), ("q_gain_init", "1"),
        ("logit_softcap", float("inf")), ("mtp_weight", 0), ("mtp_weight", True),
        ("mlp_activation", "gelu"), ("mlp_activation", ["relu2"]), ("n_unique_layers", 5),
        ("n_unique_layers", -1), ("xsa_last_n", 5), ("value_embed_layers", [4]),
        ("value_embed_layers", [1, 1]), ("value_embed_layers", [2, 1]),
        ("value_embed_layers", [-1]), ("value_embed_layers", "12"), ("value_embed_layers", [1.0]),
        ("value_embed_layers", [[1]]), ("value_embed_layers", [True]), ("value_embed_layers", 1),
        ("value_embed_dim", 0), ("bigram_buckets", 1), ("bigram_buckets", -2),
        ("bigram_buckets", 10**9), ("bigram_dim", 0), ("smear_gate", 1), ("skips", "no"),
        ("smear_boundary_id", 0), ("smear_boundary_id", 1024), ("smear_boundary_id", -2),
        ("mtp_heads", 100), ("tied_embeddings", None), ("orthogonal_init", 0),
    ],
)  # fmt: skip
def test_an_impossible_shape_is_refused_by_field(field, value):
    """A config from a stranger's file cannot ask for nonsense, nor for all memory."""
    with pytest.raises(ConfigError, match=field):
        ModelConfig.from_dict(CONFIG.as_dict() | {field: value})


def test_what_needs_more_than_one_field_is_refused():
    with pytest.raises(ConfigError, match="skips need"):
        replace(CONFIG, n_layer=1, skips=True)
    with pytest.raises(ConfigError, match="rope_ntk_len needs"):
        replace(CONFIG, rope_dims=2, rope_ntk_len=8)


def test_unknown_fields_are_refused():
    with pytest.raises(ConfigError, match="n_banks"):
        ModelConfig.from_dict({"n_banks": 3})


def test_json_gives_it_back():
    """Through the text that an artifact carries, layers (a tuple) included."""
    config = replace(CONFIG, value_embed_layers=(0, 3), skips=True, mtp_heads=1)

    assert ModelConfig.from_dict(json.loads(json.dumps(config.as_dict()))) == config


def test_a_config_from_before_a_technique_came_has_it_off():
    """Fields that are missing take defaults, and those cost no parameter."""
    first = ("vocab_size", "seq_len", "n_layer", "n_head", "n_kv_head", "model_dim", "rope_dims")
    old = {name: value for name, value in CONFIG.as_dict().items() if name in first}
    with torch.device("meta"):
        names = {
            name.split(".")[-1] for name, _ in GPT(ModelConfig.from_dict(old)).named_parameters()
        }

    assert names == {
        "weight", "qo_bank", "kv_bank", "mlp_up_bank", "mlp_down_bank",
        "q_gain", "attn_scale", "mlp_scale", "resid_mix",
    }  # fmt: skip


def test_every_field_is_checked():
    """A field of any type but its own is refused, whichever it is."""
    for field in fields(ModelConfig):
        with pytest.raises(ConfigError, match=field.name):
            ModelConfig.from_dict({field.name: {}})
