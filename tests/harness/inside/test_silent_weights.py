"""Noise goes where a trained weight is zero as a whole, or nowhere zero, and nowhere else."""

import torch
from torch import Tensor, nn

from harness.inside.hooks.recording.noise_behind import NoiseBehind
from harness.inside.hooks.recording.silent_weights import NoiseBeforeFirstForward, silent_parts
from harness.inside.hooks.recording.weights import Weights
from harness.protocol.job import Loudness


class Net(nn.Module):
    """Zero and not, trained and not, stacked, tied."""

    def __init__(self) -> None:
        super().__init__()
        self.out = nn.Linear(4, 4, bias=False)
        nn.init.zeros_(self.out.weight)
        self.tied = self.out.weight
        self.gate = nn.Parameter(torch.zeros(4))
        self.mask = nn.Parameter(torch.zeros(4, 4), requires_grad=False)
        self.lower = nn.Parameter(torch.tril(torch.ones(4, 4)))
        self.bank = nn.Parameter(torch.stack([torch.ones(4, 4), torch.zeros(4, 4)]))
        self.register_buffer("shift", torch.zeros(4))

    def forward(self, x: Tensor) -> Tensor:
        return self.out(x) * self.gate


def filled(seed: int) -> tuple[Net, Weights]:
    """The net behind its first forward."""
    weights = Weights()
    net, state = Net(), torch.get_rng_state()
    hook = NoiseBeforeFirstForward(Loudness(seed), weights.parameters)
    net(torch.ones(1, 4))
    hook.close()
    weights.close()
    assert torch.equal(torch.get_rng_state(), state)  # the script draws what it would have drawn
    return net, weights


def test_what_is_trained_and_has_no_pattern_gets_noise_and_nothing_else() -> None:
    """Masks and buffers stay, and a triangle, which filled would be no mask any more; a tied
    weight stays one.
    """
    net, weights = filled(1)

    assert net.out.weight.all() and net.gate.all() and net.bank[1].all()
    assert net.tied is net.out.weight
    assert not torch.equal(net.bank[0], torch.ones(4, 4))
    assert torch.equal(net.lower, torch.tril(torch.ones(4, 4)))
    assert not net.mask.any() and not net.get_buffer("shift").any()
    assert not [part for p in weights.parameters() for part in silent_parts(p)]


def test_the_same_seed_gives_the_same_noise() -> None:
    """Runs that are compared differ in their tokens alone."""
    one, same, other = (filled(seed)[0].state_dict() for seed in (1, 1, 2))

    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not torch.equal(one["out.weight"], other["out.weight"])


def test_weights_that_a_script_puts_back_behind_its_warm_up_get_the_noise_again() -> None:
    """All records of the main lineage do that: trained from there, the noise would be gone."""
    weights, net, x = Weights(), Net(), torch.ones(1, 4)
    kept = {name: value.clone() for name, value in net.state_dict().items()}
    hook = NoiseBeforeFirstForward(Loudness(1), weights.parameters)
    optimiser = torch.optim.SGD(net.parameters(), lr=0.0)
    for _ in range(2):
        net(x).sum().backward()
        optimiser.step()
    noisy = net.out.weight.detach().clone()
    net.load_state_dict(kept)
    net(x).sum().backward()
    optimiser.step()
    hook.close()
    weights.close()
    assert noisy.all() and torch.equal(net.out.weight, noisy)
    assert torch.equal(net.lower, kept["lower"])


def test_a_look_counts_what_is_silent() -> None:
    """Three parts: the matrix, the gate, a matrix of the stack; none once they have moved."""
    weights = Weights()
    net = Net()
    before = weights.look().silent
    again = weights.look().silent
    with torch.no_grad():
        for part in (net.out.weight, net.gate, net.bank):
            part.add_(1.0)
    after = weights.look().silent
    weights.close()

    assert (before, again, after) == (3, 3, 0)


def test_noise_behind_a_moment_comes_again_with_every_write() -> None:
    """Not before it; once, while nobody writes; again behind a load or a step."""
    weights, noted = Weights(), [0]
    net, x = Net(), torch.ones(1, 4)
    own = {name: value.clone() for name, value in net.state_dict().items()}
    hook = NoiseBehind(Loudness(1, behind=2), weights.parameters, lambda: noted[0])

    def changed() -> bool:
        net(x)
        return not torch.equal(net.bank, own["bank"])

    noted[0] = 1
    assert not changed()
    noted[0] = 2
    assert changed()
    once = net.bank.clone()
    assert changed() and torch.equal(net.bank, once)
    net.load_state_dict(own)
    assert changed() and not net.mask.any() and not torch.equal(net.bank, once)
    hook.close()
    weights.close()
