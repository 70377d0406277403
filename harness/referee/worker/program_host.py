"""Runs a submission's own evaluation program as `__main__`, watched (contract: `harness.program`).

Reports events while it runs and `done` at its end. Does not cover programs that start threads.
"""

import os
import random
import runpy
import sys
from pathlib import Path

import numpy as np
import torch

from harness.errors import ContractError
from harness.program import VALIDATION_SHARD
from harness.referee.wire.channel import Channel, Message
from harness.referee.worker.watch.recorder import Recorder
from reference_model.data.shards import read_shard


def run_program(channel: Channel, message: Message) -> None:
    """Runs the program that the message names to its end."""
    seed = int(os.environ["SEED"])
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
    tokens = read_shard(Path(os.environ["DATA_PATH"]) / VALIDATION_SHARD).astype(np.int64)
    script = str(message.fields["script"])
    sys.argv = [script]
    sys.path.insert(0, str(Path.cwd()))
    recorder = Recorder(channel, tokens)
    with recorder.watching():
        try:
            runpy.run_path(script, run_name="__main__")
        except SystemExit as stop:
            if stop.code not in (None, 0):
                raise ContractError(f"the program exited with {stop.code!r}") from stop
    channel.send(Message("done"))
