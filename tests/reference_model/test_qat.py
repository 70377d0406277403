"""Late quantisation: that it acts, on a compiled model too, and that its gradient is the rule's."""

import pytest
import torch

from reference_model.crown import crown_penalty
from reference_model.qat import StraightThrough
from reference_model.quantize import round_to_grid

# Loading the compiler warns of torch's own use of what it deprecates.
compiles = pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")


class Net(torch.nn.Module):
    """A bank of two matrices, as the model has them."""

    def __init__(self):
        super().__init__()
        self.bank = torch.nn.Parameter(torch.randn(2, 6, 6))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for weight in self.bank.unbind(0):
            x = torch.nn.functional.linear(x, weight).tanh()
        return x


def on_grid(w: torch.Tensor, bits: int) -> torch.Tensor:
    top = {5: 15, 6: 31, 8: 127}[bits]
    return round_to_grid(w, w.abs().amax(-1), top).dequantize()


def straight_through(bank: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """The textbook form, in the graph."""
    for weight in (bank + (on_grid(bank, 6) - bank).detach()).unbind(0):
        x = torch.nn.functional.linear(x, weight).tanh()
    return x


@pytest.fixture
def net():
    torch.manual_seed(0)
    return Net()


@compiles
def test_switching_it_on_changes_the_compiled_graphs_output(net):
    """The graph that was compiled before the switch gives the quantised model's output after it."""
    compiled, x = torch.compile(net, fullgraph=True, dynamic=False), torch.randn(3, 6)
    before = compiled(x)
    qat = StraightThrough({"bank": net.bank}, {"bank": 6})
    qat.replace()
    during = compiled(x)
    qat.restore()

    assert (during - before).abs().max() > 1e-4
    torch.testing.assert_close(during, straight_through(net.bank, x))
    assert torch.equal(compiled(x), before)


@compiles
def test_nothing_is_compiled_again(net):
    torch._dynamo.reset()
    torch._dynamo.utils.counters.clear()
    compiled, x = torch.compile(net, fullgraph=True, dynamic=False), torch.randn(3, 6)
    compiled(x).sum().backward()
    qat = StraightThrough({"bank": net.bank}, {"bank": 6})
    qat.replace()
    compiled(x).sum().backward()
    qat.restore()

    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] == 1


def test_the_gradient_is_the_straight_through_rules(net):
    x = torch.randn(3, 6)
    (expected,) = torch.autograd.grad(straight_through(net.bank, x).sum(), net.bank)
    qat = StraightThrough({"bank": net.bank}, {"bank": 6})
    qat.replace()
    net(x).sum().backward()
    qat.restore()

    torch.testing.assert_close(net.bank.grad, expected)


@pytest.mark.parametrize("bits", [5, 6, 8])
def test_the_weights_come_back_bit_for_bit(net, bits):
    before = net.bank.detach().clone()
    qat = StraightThrough({"bank": net.bank}, {"bank": bits})
    qat.replace()
    assert torch.equal(net.bank, on_grid(before, bits))
    with pytest.raises(RuntimeError, match="already"):
        qat.replace()
    qat.restore()

    assert torch.equal(net.bank, before)


def test_crown_is_the_public_formula():
    """#1185: mean of w^2 d^2 / 12 a bank, d the row's largest magnitude over 31, banks summed."""
    torch.manual_seed(0)
    banks = [torch.randn(2, 3, 5, requires_grad=True), torch.randn(4, 7, requires_grad=True)]
    expected = 0.0
    for bank in banks:
        terms = []
        for row in bank.detach().reshape(-1, bank.size(-1)).tolist():
            step = max(map(abs, row)) / 31
            terms += [w * w * step * step / 12 for w in row]
        expected += sum(terms) / len(terms)
    penalty = crown_penalty(banks)
    penalty.backward()

    assert penalty.item() == pytest.approx(expected, rel=1e-5)
    row = banks[1].detach()[0]
    largest = row.abs().argmax()
    assert banks[1].grad[0, largest].sign() == row[largest].sign()  # the outlier is drawn in


def test_crown_s_gradient_is_numerically_right():
    torch.manual_seed(1)
    bank = torch.randn(2, 3, dtype=torch.float64, requires_grad=True)

    (gradient,) = torch.autograd.grad(crown_penalty([bank]), bank)
    step = 1e-3
    for i in range(2):
        for j in range(3):
            shift = torch.zeros_like(bank)
            shift[i, j] = step
            up, down = crown_penalty([bank + shift]), crown_penalty([bank - shift])
            slope = (up.double() - down.double()) / (2 * step)
            assert gradient[i, j].item() == pytest.approx(slope.item(), rel=2e-2, abs=1e-7)
