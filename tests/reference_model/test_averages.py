import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from reference_model.ema import EMA
from reference_model.presets import Averaging
from reference_model.swa import SWA


class Two(torch.nn.Module):
    """A weight of each precision that the record family trains in."""

    def __init__(self):
        super().__init__()
        self.wide = torch.nn.Parameter(torch.randn(3, 4))
        self.narrow = torch.nn.Parameter(torch.randn(5).bfloat16())


@given(decay=st.floats(0, 0.999), n_updates=st.integers(0, 12))
def test_the_average_is_its_closed_form(decay, n_updates):
    """After n updates: d^n w_0 + (1 - d) sum of d^(n - i) w_i; float32 for narrow weights too."""
    model = Two()
    ema = EMA(model, decay)
    expected = {n: decay**n_updates * p.detach().double() for n, p in model.named_parameters()}
    for i in range(1, n_updates + 1):
        for name, p in model.named_parameters():
            torch.nn.init.normal_(p)
            expected[name] += (1 - decay) * decay ** (n_updates - i) * p.detach().double()
        ema.update(model)

    for name, weight in ema.weights.items():
        assert weight.dtype == torch.float32
        torch.testing.assert_close(weight.double(), expected[name], rtol=0, atol=1e-5)


@given(n_samples=st.integers(1, 9))
def test_swa_is_the_mean_of_its_samples(n_samples):
    swa, samples = SWA(50, 0.2), [torch.randn(4) for _ in range(n_samples)]
    for sample in samples:
        swa.add({"w": sample})

    torch.testing.assert_close(swa.mean()["w"], torch.stack(samples).mean(0))
    assert swa.n_samples == n_samples


def test_swa_samples_late_and_seldom():
    """Every 50 steps, and only while the rate is under a fifth of its peak (#549)."""
    swa = SWA(every=50, below=0.2)

    assert swa.wants(100, 0.19)
    assert not swa.wants(100, 0.2) and not swa.wants(101, 0.01)
    assert swa.mean() is None


@pytest.mark.parametrize(
    "fields",
    [{"ships": "ema"}, {"ships": "swa"}, {"ships": "best"},
     {"ships": "swa", "swa_every": 5, "swa_of": "ema"}],
)  # fmt: skip
def test_a_recipe_cannot_ship_what_it_does_not_make(fields):
    with pytest.raises(ValueError, match=r"no '"):
        Averaging(**fields)
