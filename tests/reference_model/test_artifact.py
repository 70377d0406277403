import hashlib
import json
import lzma
import pickletools
from contextlib import suppress
from dataclasses import replace

import pytest
import safetensors.torch
import torch
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from reference_model.artifact import (
    MAX_BYTES,
    MAX_RAW_BYTES,
    ArtifactError,
    ArtifactInfo,
    code_bytes,
    load_artifact,
    save_artifact,
)
from reference_model.config import ModelConfig
from reference_model.gpt import GPT
from reference_model.presets import NANO
from reference_model.quantize import BITS, QuantSettings, prune, quantize, tensor_class

METADATA = {"preset": "nano", "seed": 7}


@pytest.fixture(scope="module")
def model() -> GPT:
    torch.manual_seed(0)
    model = GPT(NANO.config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return model


@pytest.fixture
def saved(model, tmp_path) -> ArtifactInfo:
    return save_artifact(tmp_path / "artifact.bin", model, METADATA)


@pytest.fixture(scope="module")
def saved_once(model, tmp_path_factory) -> ArtifactInfo:
    return save_artifact(tmp_path_factory.mktemp("artifact") / "artifact.bin", model, METADATA)


def unpacked(info: ArtifactInfo) -> bytes:
    return zstandard.ZstdDecompressor().decompress(info.path.read_bytes())


def rewrite(path, raw: bytes) -> None:
    path.write_bytes(zstandard.ZstdCompressor().compress(raw))


def test_the_model_comes_back_within_the_grid(model, saved):
    """Same config, every weight within rounding of the original, float32, ready to train."""
    loaded, metadata = load_artifact(saved.path)

    assert loaded.config == model.config
    assert metadata["preset"] == "nano" and metadata["seed"] == 7
    for (name, was), now in zip(model.named_parameters(), loaded.parameters(), strict=True):
        assert now.dtype == torch.float32 and now.requires_grad, name
        assert (was - now).abs().max() <= was.abs().max() / 31, name


def test_the_size_and_hash_are_the_files(saved):
    blob = saved.path.read_bytes()

    assert saved.n_bytes == len(blob)
    assert saved.sha256 == hashlib.sha256(blob).hexdigest()


def test_the_same_model_gives_the_same_bytes(model, saved, tmp_path):
    again = save_artifact(tmp_path / "again.bin", model, dict(reversed(METADATA.items())))

    assert again.sha256 == saved.sha256


def test_loading_is_deterministic(saved):
    """Two loads are bit-identical: the score of an artifact is a function of its bytes."""
    first, second = (load_artifact(saved.path)[0].state_dict() for _ in range(2))

    assert all(torch.equal(first[name], second[name]) for name in first)


def test_each_tensor_has_its_class(model, saved):
    """Banks on six bits' levels, the embedding on eight, a gain as it is."""
    tensors = safetensors.torch.load(unpacked(saved))

    assert 15 < tensors["mlp_up_bank.q6"].abs().max() <= 31
    assert tensors["mlp_up_bank.scale"].shape == model.mlp_up_bank.shape[:-1]
    assert tensors["tok_emb.weight.q8"].dtype == torch.int8
    assert tensors["blocks.0.attn.q_gain"].dtype == torch.float16


@pytest.mark.parametrize("compressor", ["zstd", "lzma"])
def test_bell_curves_take_less_than_their_bits(tmp_path, compressor):
    """A six-bit value costs less than six bits, which is why they are not packed."""
    torch.manual_seed(0)
    model = GPT(ModelConfig(n_layer=2, model_dim=256, mlp_dim=768))
    for name, p in model.named_parameters():
        if name.endswith("_bank"):
            torch.nn.init.normal_(p)
    n_bank = sum(p.numel() for name, p in model.named_parameters() if name.endswith("_bank"))
    info = save_artifact(tmp_path / "a.bin", model, {}, compressor=compressor)
    rest = model.n_parameters - n_bank

    assert 8 * (info.n_bytes - rest) / n_bank < 5.9


@pytest.mark.parametrize(
    "settings",
    [
        QuantSettings(mlp="int5", token_embedding="fp16", prune_fraction=0.03),
        QuantSettings(attention="int8", mlp="fp16", clip_quantiles=(1.0,)),
    ],
    ids=["as #537", "other"],
)
@pytest.mark.parametrize("compressor", ["zstd", "lzma"])
def test_every_class_and_compressor_comes_back(model, tmp_path, settings, compressor):
    """What is read back is exactly what the settings make of each weight."""
    info = save_artifact(tmp_path / "a.bin", model, METADATA, settings, compressor)
    loaded = dict(load_artifact(info.path)[0].named_parameters())
    for name, weight in model.named_parameters():
        kind = tensor_class(name, weight.shape, settings)
        if kind == "fp16":
            expected = weight.half().float()
        else:
            pruned = prune(weight.detach(), settings.prune_fraction)
            expected = quantize(pruned, BITS[kind], settings.clip_quantiles).dequantize()
        assert torch.equal(loaded[name], expected), name


def test_what_only_training_needs_is_left_out(tmp_path):
    """Prediction heads are not shipped, and their absence is no damage."""
    model = GPT(replace(NANO.config, mtp_heads=2))
    loaded, metadata = load_artifact(save_artifact(tmp_path / "a.bin", model, {}).path)

    assert metadata["config"]["mtp_heads"] == 0
    assert not [name for name, _ in loaded.named_parameters() if "mtp" in name]


def test_the_code_is_counted():
    """All sources of the package, whatever they serve: an upper bound of what would be sent."""
    assert 100_000 < code_bytes() < MAX_BYTES // 10


def test_nothing_in_it_is_a_pickle(saved):
    """Neither file nor content parses as a pickle, and no pickle opcode stream opens either."""
    for blob in (saved.path.read_bytes(), unpacked(saved)):
        assert blob[:1] != b"\x80"
        with pytest.raises(ValueError, match=r"."):
            list(pickletools.genops(blob))


@pytest.mark.parametrize(
    "content",
    [
        b"", b"not an artifact", bytes(5_000), b"PK\x03\x04" + bytes(100),
        zstandard.ZstdCompressor().compress(b""), zstandard.ZstdCompressor().compress(b"\xff" * 90),
        zstandard.ZstdCompressor().compress(safetensors.torch.save({"w": torch.zeros(3)})),
        zstandard.ZstdCompressor().compress(
            safetensors.torch.save({"w": torch.zeros(3)}, {"scorefirst": '{"format": "other"}'})
        ),
        zstandard.ZstdCompressor().compress(
            safetensors.torch.save({"w": torch.zeros(3)}, {"scorefirst": "[]"})
        ),
    ],
)  # fmt: skip
def test_a_foreign_file_is_refused_by_name(tmp_path, content):
    (tmp_path / "odd.bin").write_bytes(content)

    with pytest.raises(ArtifactError, match=r"odd\.bin"):
        load_artifact(tmp_path / "odd.bin")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ArtifactError, match=r"none\.bin: cannot be read"):
        load_artifact(tmp_path / "none.bin")


@pytest.mark.parametrize("compressor", ["zstd", "lzma"])
def test_no_damage_goes_unnoticed(model, tmp_path, compressor):
    """Cut anywhere, one bit flipped anywhere, a byte appended: refused, never a different model."""
    saved = save_artifact(tmp_path / "artifact.bin", model, METADATA, compressor=compressor)
    blob = saved.path.read_bytes()
    damaged = [blob[:n] for n in range(0, len(blob), len(blob) // 40)] + [blob + b"\0"]
    for at in range(0, len(blob), len(blob) // 40):
        damaged.append(blob[:at] + bytes([blob[at] ^ 4]) + blob[at + 1 :])
    for content in damaged:
        saved.path.write_bytes(content)
        with pytest.raises(ArtifactError):
            load_artifact(saved.path)


@given(at=st.integers(0, 2_999), byte=st.integers(0, 255))
def test_forged_content_is_refused_or_is_a_model(saved_once, at, byte):
    """Whatever a forger puts in the header, inside a sound frame: an ArtifactError or a model."""
    raw = bytearray(unpacked(saved_once))
    raw[at] = byte
    forged = saved_once.path.with_name("forged.bin")
    rewrite(forged, bytes(raw))
    with suppress(ArtifactError):
        load_artifact(forged)


@pytest.mark.parametrize(
    "header",
    [b"[]", b"{}", b'{"__metadata__": null}', b'{"__metadata__": {"scorefirst": 3}}', b"[" * 10**5],
)
def test_a_forged_header_is_refused(tmp_path, header):
    """JSON of any other form than ours, nested without end too."""
    path = tmp_path / "odd.bin"
    rewrite(path, len(header).to_bytes(8, "little") + header)

    with pytest.raises(ArtifactError, match=r"odd\.bin"):
        load_artifact(path)


def test_a_bomb_is_not_unpacked(tmp_path, monkeypatch):
    """A few kilobytes that promise gigabytes are refused: zstd by its header, xz at the limit."""
    bomb = zstandard.ZstdCompressor().compress(bytes(MAX_RAW_BYTES + 1))
    (tmp_path / "bomb.bin").write_bytes(bomb)
    assert len(bomb) < 50_000

    with pytest.raises(ArtifactError, match="the most that is read"):
        load_artifact(tmp_path / "bomb.bin")
    monkeypatch.setattr("reference_model.artifact.MAX_RAW_BYTES", 1_000_000)
    (tmp_path / "bomb.bin").write_bytes(lzma.compress(bytes(1_000_001)))
    with pytest.raises(ArtifactError, match="gives more than"):
        load_artifact(tmp_path / "bomb.bin")


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"n_layer": 3}, "blocks.2|_bank"),
        ({"n_layer": 1}, "its config asks for"),
        ({"bigram_buckets": 8}, "bigram"),
        ({"vocab_size": 1023}, "tok_emb"),
        ({"model_dim": 16_384}, "its config asks for"),
        ({"n_layer": 10**9}, "n_layer must be"),
    ],
)
def test_a_config_that_does_not_fit_the_tensors_is_refused(saved, change, complaint):
    """A forged shape is noticed before it allocates anything of that size."""
    tensors = safetensors.torch.load(unpacked(saved))
    config = NANO.config.as_dict() | change
    header = {"format": "scorefirst-artifact-2", "config": config}
    rewrite(saved.path, safetensors.torch.save(tensors, {"scorefirst": json.dumps(header)}))

    with pytest.raises(ArtifactError, match=complaint):
        load_artifact(saved.path)


def test_weights_that_are_not_numbers_are_refused(saved):
    tensors = safetensors.torch.load(unpacked(saved))
    tensors["blocks.0.attn_scale"][0] = float("nan")
    header = {"format": "scorefirst-artifact-2", "config": NANO.config.as_dict()}
    rewrite(saved.path, safetensors.torch.save(tensors, {"scorefirst": json.dumps(header)}))

    with pytest.raises(ArtifactError, match="not finite"):
        load_artifact(saved.path)
