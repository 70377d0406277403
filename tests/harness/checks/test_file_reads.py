"""What was opened when, and weights that came back: read off real runs of small scripts."""

from pathlib import Path

import numpy as np
from driven_jobs import make_job
from simulated_coders import stream

from harness.checks.file_reads import Phase, check_reads, reads_of
from harness.checks.status import Level, Status
from harness.sandbox.fork_server import ForkServer
from harness.trace.script_run import ScriptRun, read_run
from harness.trace.uses import NEVER

# Trains two steps on the validation stream, then scores in eight batches.
SCRIPT = """
import numpy as np, torch, torch.nn.functional as F
torch.manual_seed(0)
np.zeros(8).tofile("fineweb_train_000000.bin")
np.fromfile("fineweb_train_000000.bin")
tokens = torch.from_numpy(np.load("stream.npy"))
model = torch.nn.Embedding(68, 68)
kept = {k: v.clone() for k, v in model.state_dict().items()}
optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
for _ in range(2):
    F.cross_entropy(model(tokens[:-1]), tokens[1:]).backward()
    optimizer.step()
RESTORE
total = 0.0
for start in range(0, 1023, 128):
    with torch.inference_mode():
        x, y = tokens[start : start + 128][: 1023 - start], tokens[start + 1 : start + 129]
        nll = F.cross_entropy(model(x), y, reduction="none").double()
    WHILE
    total += nll.sum().item()
print(f"final val_loss:{total / 1023:.8f} val_bpb:1.00000000")
np.fromfile("fineweb_train_000000.bin")
"""
RESTORE = "model.load_state_dict(kept)"
READ = 'np.fromfile("fineweb_train_000000.bin")'


def run(server: ForkServer, folder: Path, restore: str = "", meanwhile: str = "") -> ScriptRun:
    text = SCRIPT.replace("RESTORE", restore).replace("WHILE", meanwhile)
    job = make_job(folder, text, capture=True)
    law = stream(4)
    for path in (job.stream, job.stage / "stream.npy"):
        np.save(path, law.tokens)
    outcome = server.run(job)
    found = read_run(job, outcome, law, np.ones(len(law.tokens), np.int64))
    assert found.scored is not None and found.scored.gap < 1e-6
    return found


def test_shards_by_phase(server, tmp_path):
    """Opened before and after scoring: reported, and nobody's fault. Inside the scored pass:
    unknown, never a failure.
    """
    legal, reads = (
        run(server, tmp_path / "legal"),
        run(server, tmp_path / "reads", "", READ),
    )

    phases = {(r.path, r.phase) for r in reads_of(legal)}
    shard = "fineweb_train_000000.bin"
    assert {(shard, Phase.BEFORE), (shard, Phase.AFTER), ("stream.npy", Phase.BEFORE)} <= phases
    assert (shard, Phase.DURING) not in phases and check_reads(legal) == []
    (found,) = check_reads(reads)
    assert (found.rule, found.status) == ("DATA-2", Status.UNKNOWN)
    assert found.level is Level.INSTRUMENTED and "train_gpt.py:" in found.message


def test_weights_that_came_back(server, tmp_path):
    """A warm-up on validation tokens, restored: the weights that count had been seen before the
    first use. Not restored: they are new.
    """
    restored = run(server, tmp_path / "restored", RESTORE).uses
    trained = run(server, tmp_path / "trained").uses

    for uses, came_back in ((restored, True), (trained, False)):
        assert uses is not None and uses.weights_seen is not None
        used = uses.first_used != NEVER
        assert used.sum() > 1000
        assert (
            ((uses.weights_seen < uses.first_used)[used & (uses.weights_seen != NEVER)]).all()
            == came_back
        )
