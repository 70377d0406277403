"""Laws of ranks: one knows what stands before, or what some rank had scored; nothing else."""

from pathlib import Path

import numpy as np
from driven_jobs import make_job
from simulated_coders import stream

from harness.checks.future import FutureChange
from harness.checks.ranks import RankChange, check_ranks, choose_rank_cut, compare_ranks
from harness.checks.status import Status
from harness.experiments.altered import changed
from harness.sandbox.fork_server import ForkServer
from harness.streams.drawn import SourceStream
from harness.trace.ranks import RankOrder, rank_order
from harness.trace.script_run import ScriptRun, read_run

SEED = 3
RANKS = 2

# The first half of the stream is one rank's, the second the other's; a model of unigrams learns.
SCRIPT = """
import os
import numpy as np, torch, torch.distributed as dist, torch.nn.functional as F
from torch.nn.parallel import DistributedDataParallel
rank, V = int(os.environ["RANK"]), 68
dist.init_process_group("nccl")
tokens = torch.from_numpy(np.load("stream.npy"))
mine = tokens[rank * 512 : rank * 512 + 512]
class Unigrams(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.bias = torch.nn.Parameter(torch.zeros(V))
    def forward(self, y):
        return F.cross_entropy(self.bias.expand(len(y), V), y, reduction="none")
model = Unigrams()
total = torch.zeros(2, dtype=torch.float64)
def score(y):
    with torch.no_grad():
        total.add_(torch.stack([model(y).double().sum(), torch.tensor(float(len(y)))]))
EXCHANGE
for start in range(1 - min(rank, 1), 512, 64):
    y = mine[start : start + 64]
    STEPS
dist.all_reduce(total)
if rank == 0:
    print(f"final val_loss:{float(total[0] / total[1]):.8f} val_bpb:1.00000000")
"""
IN_DDP = """
parallel = DistributedDataParallel(model)
def learn(y):
    parallel(y).sum().backward()
    with torch.no_grad():
        model.bias -= 0.05 * model.bias.grad
        model.bias.grad = None
"""
IN_TABLES = """
def learn(y):
    seen = torch.bincount(y, minlength=V).float()
    dist.all_reduce(seen)
    with torch.no_grad():
        model.bias += 0.05 * seen
"""


def script(exchange: str, steps: str) -> str:
    return SCRIPT.replace("EXCHANGE", exchange).replace("STEPS", steps)


def run(server: ForkServer, folder: Path, text: str, law: SourceStream) -> ScriptRun:
    job = make_job(folder, text, capture=True, time_limit_s=120.0, ranks=RANKS)
    np.save(job.stream, law.tokens)
    np.save(job.stage / "stream.npy", law.tokens)
    outcome = server.run(job)
    assert outcome.exit_code == 0, outcome
    return read_run(job, outcome, law, np.ones(len(law.tokens), np.int64))


def under_another_future(server: ForkServer, folder: Path, text: str) -> FutureChange:
    law = stream(SEED)
    base = run(server, folder / "base", text, law)
    order = rank_order(base)
    assert order is not None and order.inside == 7  # once a chunk, and none behind the last
    cut = choose_rank_cut(order)
    assert cut is not None
    future = run(server, folder / "future", text, changed(law, cut.changed, SEED))
    found = compare_ranks(base, [base], [(SEED, future)], cut)
    assert found is not None
    return found


def test_what_all_ranks_have_scored_may_be_known_to_each(server, tmp_path):
    """Also where it stands behind: the exchange, here inside DistributedDataParallel, came later
    than its score. Nothing that is legal moves.
    """
    found = under_another_future(server, tmp_path, script(IN_DDP, "score(y); learn(y)"))

    assert found.nothing_moved and found.compared > 300
    status = check_ranks(RankChange(RANKS, 7, found))
    assert status is not None and (status.rule, status.status) == ("CAUSAL-7", Status.PASS)


def test_what_another_rank_is_about_to_score_may_not(server, tmp_path):
    """The twin exchanges the counts of a chunk before anybody has scored it."""
    found = under_another_future(server, tmp_path, script(IN_TABLES, "learn(y); score(y)"))

    assert len(found.moved) >= 32 and found.needs_second_seed


def order_of(epochs: list[list[int]]) -> RankOrder:
    """Positions in turn, rank after rank; each with the exchanges before its score."""
    rank = np.concatenate([np.full(len(e), r) for r, e in enumerate(epochs)])
    epoch, place = np.concatenate(epochs), np.arange(len(rank))
    return RankOrder(place, rank, np.argsort(np.argsort(epoch, kind="stable")), epoch, 1, False)


def test_the_cut_keeps_what_a_rank_may_know():
    """Nothing is compared that an earlier epoch of another rank, or an earlier score of its own,
    could have told of a changed token; and ranks stand on both sides of the epoch.
    """
    order = order_of([[0] * 40 + [1] * 40 + [2] * 40, [0] * 40 + [1] * 40 + [2] * 40])
    cut = choose_rank_cut(order)

    assert cut is not None and cut.compared.max() < cut.changed.min()
    first = {int(e): (order.rank[order.epoch == e]) for e in np.unique(order.epoch)}
    assert set(first[cut.epoch]) == {0, 1}
    assert order.epoch[np.isin(order.position, cut.changed)].min() >= cut.epoch
    assert order.epoch[np.isin(order.position, cut.compared)].max() <= cut.epoch
    # The second rank's first epoch stands behind the cut, and stays: it had been scored.
    assert not np.isin(np.arange(120, 160), cut.changed).any() or cut.epoch == 0


def test_a_cut_that_another_order_breaks_compares_nothing():
    """Ranks that share their work by the clock may score in another order in another run."""
    order = order_of([[0] * 64, [0] * 64])
    cut = choose_rank_cut(order)
    assert cut is not None and len(cut.holds_for(order)) == len(cut.compared)
    later = RankOrder(order.position, order.rank, order.event, order.epoch[::-1] * 0 - 1, 1, False)

    assert not len(cut.holds_for(later))
