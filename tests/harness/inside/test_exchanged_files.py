"""A file that a script opens again holds what it was given, and what scores behind it is told."""

from pathlib import Path

import numpy as np
import torch
from torch import nn

from harness.inside.hooks import watching
from harness.protocol.schema import EventKind
from harness.trace.reader import Capture, load

TOKENS = np.arange(64)


def told(folder: Path, loads: bool) -> tuple[Capture, list[float]]:
    """A script that writes 32 bits of its weights, opens them, and loads them or does not."""
    folder.mkdir()
    file, found = folder / "model.bin", []
    with watching(TOKENS, folder / "rank0", folder, exchanged={"model.bin": b"\x00\x00\x80\x3f"}):
        torch.manual_seed(0)
        net = nn.Linear(64, 64)
        file.write_bytes(net.bias.detach()[:1].numpy().tobytes())
        for _ in range(2):
            found.append(float(np.frombuffer(file.read_bytes(), np.float32)[0]))
        if loads:
            nn.init.constant_(net.weight, found[-1])
        with torch.no_grad():
            nn.Sequential(net)(torch.ones(1, 64))
    return load(folder), found


def test_a_file_is_exchanged_behind_its_writing_and_weights_are_told(tmp_path: Path) -> None:
    """Once; one forward is noted for all that a model holds, and its size where nothing changed."""
    (kept, found), (loaded, _) = told(tmp_path / "a", loads=False), told(tmp_path / "b", loads=True)

    assert found == [1.0, 1.0]
    for capture in (kept, loaded):
        given, forward = (capture.events(k) for k in (EventKind.GIVEN, EventKind.FORWARD))
        assert capture.tokens[given].tolist() == [4] and len(forward) == 1
        assert (capture.tokens[forward[0]] > 8_000) == (capture is kept)
        saved = capture.text[capture.events(EventKind.SAVE)].tolist()
        assert saved.count("model.bin") == 1  # ours is nobody's


def test_a_shard_is_turned_round_from_a_moment_on(tmp_path: Path) -> None:
    """What was read of it before stays, and so does its header."""
    shard, found = tmp_path / "train.bin", []
    shard.write_bytes(bytes(range(256)) * 4 + np.arange(5, dtype=np.uint16).tobytes())
    with watching(TOKENS, tmp_path / "rank0", tmp_path, turned={"train.bin": 2}):
        for _ in range(2):
            found.append(shard.read_bytes())
            print("val_loss: 1.0")

    assert [np.frombuffer(one, np.uint16, offset=1024).tolist() for one in found] == [
        [0, 1, 2, 3, 4],
        [4, 3, 2, 1, 0],
    ]
    assert found[0][:1024] == found[1][:1024]
