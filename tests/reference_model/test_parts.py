"""The small parts of the model, each against its slow twin in float64, and what each is for."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from slow_model import (
    capped,
    slow_bigram,
    slow_bucket,
    slow_mlp,
    slow_nats,
    slow_smear,
    slow_value_embedding,
)

from reference_model.banks import BANKS, bank_rows, bank_shapes, damp_gradient, n_uses, split_banks
from reference_model.bigram_hash import BigramHash, bigram_buckets
from reference_model.config import ACTIVATIONS, ModelConfig
from reference_model.head import MultiTokenHeads, softcap, softcapped_loss
from reference_model.initial import matrix_
from reference_model.mlp import mlp, squared_rectifier
from reference_model.skips import Skips
from reference_model.smear_gate import SmearGate
from reference_model.value_embedding import ValueEmbedding

CONFIG = ModelConfig(
    vocab_size=61, n_layer=5, model_dim=32, mlp_dim=48, n_head=4, n_kv_head=2, rope_dims=4,
    bigram_buckets=30, bigram_dim=8, value_embed_layers=(1, 4), value_embed_dim=8, mtp_heads=3,
)  # fmt: skip
F64 = torch.float64


def moved(module: torch.nn.Module) -> torch.nn.Module:
    """In float64, every parameter away from where it starts."""
    torch.manual_seed(0)
    module.double()
    with torch.no_grad():
        for p in module.parameters():
            p.add_(torch.randn_like(p))
    return module


def close(found: torch.Tensor, expected: list[torch.Tensor]) -> None:
    torch.testing.assert_close(found, torch.stack(expected), rtol=0, atol=1e-12)


# ---------------------------------------------------------------------------------------------
# mlp


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_the_mlp_equals_its_twin(activation):
    torch.manual_seed(0)
    up, down = torch.randn(48, 32, dtype=F64), torch.randn(32, 48, dtype=F64)
    x = torch.randn(2, 5, 32, dtype=F64)

    for row, y in zip(x, mlp(x, up, down, activation), strict=True):
        torch.testing.assert_close(y, torch.stack([slow_mlp(v, up, down, activation) for v in row]))


def test_negative_inputs_come_through_at_a_quarter_or_not_at_all():
    x = torch.tensor([2.0, -2.0, 0.0, 1.0])

    assert squared_rectifier(x, "leaky_relu2").tolist() == [4.0, 1.0, 0.0, 1.0]
    assert squared_rectifier(x, "relu2").tolist() == [4.0, 0.0, 0.0, 1.0]


# ---------------------------------------------------------------------------------------------
# bigram_hash, smear_gate, value_embedding


@given(
    tokens=st.lists(st.integers(0, 2**16 - 1), min_size=1, max_size=20),
    n_buckets=st.sampled_from([2, 30, 1_536, 2_048]),
)
def test_buckets_equal_their_twins(tokens, n_buckets):
    """Any ids of any vocabulary, no overflow; the first position's bucket is never a pair's."""
    pairs = zip([None, *tokens[:-1]], tokens, strict=True)
    expected = [slow_bucket(before, this, n_buckets) for before, this in pairs]
    found = bigram_buckets(torch.tensor([tokens]), n_buckets)[0].tolist()

    assert found == expected
    assert found[0] == n_buckets - 1 > max(found[1:], default=-1)


@pytest.mark.parametrize("vocab_size", [1_024, 8_192])
def test_buckets_are_those_of_the_32_bit_formula(vocab_size):
    """The public scripts hash in int32; for their vocabularies that is the same."""
    tokens = torch.randint(vocab_size, (4, 500), generator=torch.Generator().manual_seed(0))
    t = tokens.to(torch.int32)
    theirs = torch.bitwise_xor(36_313 * t[..., 1:], 27_191 * t[..., :-1]) % 1_535

    assert torch.equal(bigram_buckets(tokens, 1_536)[..., 1:], theirs.long())


@torch.no_grad()
def test_the_bigram_embedding_equals_its_twin():
    bigram, tokens = moved(BigramHash(CONFIG)), torch.randint(61, (2, 9))

    for row, found in zip(tokens.tolist(), bigram(tokens, F64), strict=True):
        close(found, slow_bigram(bigram.state_dict(), row, 30))


def test_a_new_bigram_embedding_adds_nothing_yet_learns():
    bigram, tokens = BigramHash(CONFIG), torch.randint(61, (2, 9))
    y = bigram(tokens, torch.float32)
    y.sum().backward()

    assert not y.any()
    assert bigram.embed.weight.grad.any()


@pytest.mark.parametrize("boundary_id", [-1, 1])
@torch.no_grad()
def test_the_smear_equals_its_twin(boundary_id):
    smear = moved(SmearGate(replace(CONFIG, smear_gate=True, smear_boundary_id=boundary_id)))
    tokens = torch.tensor([[5, 1, 1, 7, 9], [1, 2, 3, 1, 4]])
    x = torch.randn(2, 5, 32, dtype=F64)

    for i, found in enumerate(smear(x, tokens)):
        close(found, slow_smear(smear.gate, list(x[i]), tokens[i].tolist(), boundary_id))


@pytest.mark.parametrize(("boundary_id", "crosses"), [(1, False), (-1, True)])
@torch.no_grad()
def test_with_the_mask_nothing_crosses_a_document_boundary(boundary_id, crosses):
    """CAUSAL-6: what the last token of one document was does not matter to the next."""
    smear = moved(SmearGate(replace(CONFIG, smear_gate=True, smear_boundary_id=boundary_id)))
    tokens = torch.tensor([[5, 6, 1, 7, 9]])
    x = torch.randn(1, 5, 32, dtype=F64)
    other = x.clone()
    other[:, 1] += 1.0

    assert torch.equal(smear(x, tokens)[:, 2:], smear(other, tokens)[:, 2:]) is not crosses
    if not crosses:  # and a document starts as a window does
        assert torch.equal(smear(x, tokens)[:, 2:], smear(x[:, 2:], tokens[:, 2:]))


@torch.no_grad()
def test_the_value_embedding_equals_its_twin():
    ve, tokens = moved(ValueEmbedding(CONFIG)), torch.randint(61, (2, 9))
    found = ve(tokens, F64)

    assert list(found) == [1, 4]
    for slot, layer in enumerate(found):
        for i, row in enumerate(tokens.tolist()):
            close(found[layer][i], slow_value_embedding(ve.state_dict(), row, slot))


# ---------------------------------------------------------------------------------------------
# skips, banks, initial


@pytest.mark.parametrize("n_layer", [2, 3, 4, 11])
@torch.no_grad()
def test_skips_are_a_stack(n_layer):
    """Early layers push, late ones pop, each early output is read once, by its own weight."""
    skips = moved(Skips(replace(CONFIG, n_layer=n_layer, value_embed_layers=())))
    early = [torch.randn(1, 2, 32, dtype=F64) for _ in range(n_layer // 2)]
    x, stack = torch.randn(1, 2, 32, dtype=F64), list(enumerate(early))
    for layer in range(n_layer):
        expected = x
        if layer >= n_layer // 2 and stack:
            source, output = stack.pop()
            assert skips.source(layer) == source
            expected = x + skips.weights[layer - n_layer // 2] * output
        assert torch.equal(skips(x, early, layer), expected)
    assert not stack


@pytest.mark.parametrize("n_unique", [0, 3])
def test_every_matrix_is_in_one_place(n_unique):
    """Rows of a layer are disjoint, all rows are used, and a view holds the very row."""
    config = replace(CONFIG, n_unique_layers=n_unique)
    banks = {name: torch.randn(shape) for name, shape in bank_shapes(config).items()}
    used = [place for layer in range(config.n_banked) for place in bank_rows(config, layer)]
    layers = split_banks(banks, config)

    assert tuple(banks) == BANKS
    assert len(used) == len(set(used)) == sum(len(bank) for bank in banks.values())
    assert len(layers) == config.n_layer
    for layer, weights in enumerate(layers):
        for weight, (bank, row) in zip(weights, bank_rows(config, layer), strict=True):
            assert torch.equal(weight, banks[bank][row])
    if n_unique:
        assert bank_rows(config, 3) == bank_rows(config, 0)
        assert [n_uses(config, layer) for layer in range(5)] == [2, 2, 1, 2, 2]


def test_a_shared_matrix_learns_from_the_mean_of_its_uses():
    """Same values; the gradient is divided by the number of uses (#537)."""
    w = torch.randn(4, 4, dtype=F64, requires_grad=True)
    damped = damp_gradient(w, 2)
    damped.square().sum().backward()

    assert torch.equal(damped, w)
    torch.testing.assert_close(w.grad, w.detach())
    assert damp_gradient(w, 1) is w


@pytest.mark.parametrize("shape", [(32, 32), (48, 32), (16, 32), (3, 48, 32)])
def test_matrices_start_orthogonal(shape):
    """Every matrix of a bank: the smaller Gram matrix is the identity; switched off, it is not."""
    weight, plain = torch.empty(shape), torch.empty(shape)
    matrix_(weight, CONFIG)
    matrix_(plain, replace(CONFIG, orthogonal_init=False))

    def gram(w):
        return w @ w.mT if w.size(-2) <= w.size(-1) else w.mT @ w

    eye = torch.eye(min(shape[-2:])).expand_as(gram(weight))
    torch.testing.assert_close(gram(weight), eye, rtol=0, atol=1e-5)
    assert (gram(plain) - eye).abs().max() > 0.1
    assert plain.abs().max() <= 32**-0.5


# ---------------------------------------------------------------------------------------------
# head


@given(scale=st.floats(0.1, 100.0), cap=st.sampled_from([1.5, 30.0]), seed=st.integers(0, 999))
def test_the_loss_equals_its_twin(scale, cap, seed):
    """From flat logits to logits that the cap has flattened, both ways."""
    generator = torch.Generator().manual_seed(seed)
    raw = scale * torch.randn(5, 11, dtype=F64, generator=generator)
    targets = torch.randint(11, (5,), generator=generator)
    logits = [capped(row, cap) for row in raw]
    nats = [slow_nats(row, int(t)) for row, t in zip(logits, targets, strict=True)]

    close(softcap(raw, cap), logits)
    assert softcapped_loss(raw, targets, cap).item() == pytest.approx(sum(nats) / 5, abs=1e-11)


def test_bfloat16_logits_lose_no_more_than_their_own_digits():
    """The loss of bfloat16 logits is computed in float32; the gradient comes back in bfloat16."""
    torch.manual_seed(0)
    raw = (3.0 * torch.randn(64, 101)).bfloat16().requires_grad_()
    targets = torch.randint(101, (64,))
    loss = softcapped_loss(raw, targets, 30.0)
    loss.backward()
    exact = softcapped_loss(raw.detach().double(), targets, 30.0)

    assert loss.dtype == torch.float32 and raw.grad.dtype == torch.bfloat16
    assert loss.item() == pytest.approx(exact.item(), rel=1e-6)


def test_heads_stop_where_the_window_does():
    """A window shorter than a head's reach has no target for it; one of one token, for none."""
    heads = moved(MultiTokenHeads(CONFIG))
    hidden, targets = torch.randn(2, 3, 32, dtype=F64), torch.randint(61, (2, 3))
    two = moved(MultiTokenHeads(replace(CONFIG, mtp_heads=2)))
    two.load_state_dict({k: v for k, v in heads.state_dict().items() if not k.startswith("2.")})

    assert torch.equal(heads.loss(hidden, targets), two.loss(hidden, targets))
    assert heads.loss(hidden[:, :1], targets[:, :1]).item() == 0.0
