"""A louder step learns from the stream with a higher rate, and leaves the script its own."""

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from harness.inside.hooks import watching
from harness.protocol.job import Loudness

TOKENS = np.random.default_rng(0).integers(0, 64, 257)
SHARD = np.random.default_rng(1).integers(0, 64, 257)


def stepped(folder: Path, tokens: np.ndarray, times: float) -> tuple[float, float]:
    """How far one step of plain SGD went, and the rate behind it."""
    folder.mkdir()
    with watching(TOKENS, folder / "rank0", folder, louder=Loudness(rate_times=times)):
        table = torch.nn.Parameter(torch.zeros(64, 64))
        optimizer = torch.optim.SGD([table], lr=0.5)
        ids = torch.from_numpy(tokens)
        F.cross_entropy(table[ids[:-1]], ids[1:]).backward()
        optimizer.step()
    return float(table.detach().abs().sum()), optimizer.param_groups[0]["lr"]


def test_only_steps_that_learn_from_the_stream_go_further(tmp_path: Path) -> None:
    """Ten times as far on the stream's tokens, as far as ever on a shard's; the rate stays."""
    usual = stepped(tmp_path / "a", TOKENS, 1.0)
    further = stepped(tmp_path / "b", TOKENS, 10.0)
    shard = [stepped(tmp_path / str(times), SHARD, times) for times in (1.0, 10.0)]

    assert np.isclose(further[0], 10.0 * usual[0], rtol=1e-4)
    assert shard[0] == shard[1]
    assert {rate for _, rate in (usual, further, *shard)} == {0.5}
