"""Laws of the native path: the compiler is real, and the watch neither stops nor changes it.

The jobs are those of a GPU (no shim but absent packages), on tensors of the CPU if there is none;
Dynamo is the real one and its graphs are counted by a backend of the script's own.
"""

import pytest
from captured_passes import learned_early
from driven_jobs import TOKENS, make_job, printed

from audits.facts.documented.printed_scores import printed_numbers
from harness.protocol.job import RunState
from harness.protocol.schema import EventKind
from harness.sandbox.fork_server import ForkServer
from harness.trace.first_use import update_view
from harness.trace.reader import load
from harness.trace.reconstruct import reconstruct

SCORED = TOKENS - 1
SETTING = """
import copy, math, numpy as np, torch, torch.nn.functional as F
from torch._dynamo.utils import counters
device = "cuda" if torch.cuda.is_available() else "cpu"
tokens = torch.from_numpy(np.load("stream.npy")).to(device)
x, y = tokens[:-1].reshape(4, 64), tokens[1:].reshape(4, 64)
graphs = []
def backend(graph, inputs):
    nodes = graph.graph.nodes
    inputs = [node.name for node in nodes if node.op == "placeholder"]  # as the frame calls them
    graphs.append((*inputs, sum(node.op.startswith("call") for node in nodes)))
    return graph.forward
exact = dict(fullgraph=True, dynamic=False, backend=backend)

@torch.compile(**exact)
def activation(h):
    return F.leaky_relu(h, 0.5).square() * math.exp(0.5)

class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.table, self.head = torch.nn.Embedding(64, 32), torch.nn.Linear(32, 64, bias=False)
    def logits(self, x):
        scale = torch.as_tensor(np.full(1, math.log(3.0)), dtype=torch.float32, device=device)
        return self.head(activation(self.table(x))) * scale
    def forward(self, x, y):
        return F.cross_entropy(self.logits(x).reshape(-1, 64), y.reshape(-1))
    def both(self, x, targets):
        logits = self.logits(x)
        return logits, F.cross_entropy(logits.reshape(-1, 64), targets.reshape(-1))
    def each(self, x, y):
        return F.cross_entropy(self.logits(x).reshape(-1, 64), y.reshape(-1), reduction="none")

model = Model().to(device)
mean = torch.compile(model, **exact)
logits = torch.compile(model.logits, **exact)
both = torch.compile(model.both, **exact)
each = torch.compile(**exact)(model.each)
optimizer = torch.optim.SGD(model.parameters(), lr=0.5)

def total(losses):
    sum = torch.zeros((), dtype=torch.float64, device=device)
    with torch.inference_mode():
        for i in range(4):
            sum += losses(x[i : i + 1], y[i : i + 1]).to(torch.float64).sum() * 64
    return sum.item() / 256

def by_logits(x, y):
    with torch.device(device):  # a mode of the script's own
        made = logits(x)
    return F.cross_entropy(made.reshape(-1, 64), y.reshape(-1), reduction="none") / 64

def learn(i):
    optimizer.zero_grad()
    torch.autograd.backward(mean(x[i : i + 1], y[i : i + 1]))
    optimizer.step()

def score_first():
    sum = 0.0
    for i in range(4):
        with torch.inference_mode():
            sum += mean(x[i : i + 1], y[i : i + 1]).item() / 4
        learn(i)
    return sum
"""
NAMES = ("mean", "copy", "logits", "both", "each", "score first", "trained")
SCRIPT = f"""{SETTING}
print(f"mean val_loss:{{total(mean):.8f}}")
print(f"copy val_loss:{{total(copy.deepcopy(mean)):.8f}}")
print(f"logits val_loss:{{total(by_logits):.8f}}")
print(f"both val_loss:{{total(lambda x, y: both(x, targets=y)[1]):.8f}}")
print(f"each val_loss:{{total(lambda x, y: each(x, y) / 64):.8f}}")
print(f"score first val_loss:{{score_first():.8f}}")
print(f"trained val_loss:{{total(mean):.8f}}")
print("graphs", graphs, sum(counters["graph_break"].values()), dict(counters["stats"]))
"""


@pytest.fixture(scope="module")
def server():
    with ForkServer("cuda") as server:
        yield server


@pytest.fixture(scope="module")
def runs(server, tmp_path_factory):
    jobs = {}
    for watched in (False, True):
        folder = tmp_path_factory.mktemp("watched" if watched else "bare")
        jobs[watched] = make_job(folder, SCRIPT, device="cuda", capture=watched)
        outcome = server.run(jobs[watched])
        assert outcome.state == RunState.ENDED, (outcome.cause, printed(jobs[watched])[-5:])
    return jobs


def test_the_compiler_does_the_same_with_and_without_the_watch(runs):
    """Same graphs of the same frames, or the compiler's caches would not know them again; no break,
    no recompilation more, and every digit: numpy, math and compiled functions inside a compiled
    model are traced as if nobody had wrapped them.
    """
    bare, watched = printed(runs[False]), printed(runs[True])
    assert watched == bare
    assert bare[-1].startswith("graphs [") and "] 0 {" in bare[-1]


def test_scores_of_compiled_models_are_rebuilt(runs):
    """A mean, that of a copied model, logits, (logits, loss) by keyword, a number a token."""
    capture = load(runs[True].out)
    assert capture.errors == []
    numbers = printed_numbers("\n".join(printed(runs[True])))
    assert [n.text.partition(" val_loss")[0] for n in numbers] == list(NAMES)
    for number in numbers:
        counted = reconstruct(capture, number, TOKENS)
        assert counted is not None, number.text
        assert counted.gap < 1e-6 and counted.coverage == 1.0, number.text


def test_the_order_of_compiled_updates_is_seen(runs):
    """Each part is learnt from after its score: legal. The same weights then score it all again."""
    capture = load(runs[True].out)
    early = {}
    for number in printed_numbers("\n".join(printed(runs[True])))[-2:]:
        counted = reconstruct(capture, number, TOKENS)
        assert counted is not None
        early[number.text.partition(" val_loss")[0]] = learned_early(
            update_view(capture, counted, TOKENS)
        )
    assert early == {"score first": 0, "trained": SCORED}


def test_absent_attention_is_compiled_into_the_graph(server, tmp_path):
    """`flash_attn_interface` is served by PyTorch's attention, in one graph."""
    text = """
    import torch
    from flash_attn_interface import flash_attn_func
    from torch._dynamo.utils import counters
    def attend(q, k, v):
        return flash_attn_func(q, k, v, causal=True)
    q, k, v = (torch.randn(2, 16, heads, 8) for heads in (4, 2, 2))
    made = torch.compile(attend, fullgraph=True, backend="aot_eager")(q, k, v)
    print(torch.equal(made, attend(q, k, v)), counters["stats"]["unique_graphs"])
    """
    job = make_job(tmp_path, text, device="cuda", capture=True)
    assert server.run(job).state == RunState.ENDED
    assert printed(job)[-1] == "True 1"


def test_a_compiled_optimiser_step_is_seen_and_runs(server, tmp_path):
    """Dynamo does not trace into the watch's hooks; the step is an event as any other."""
    text = """
    import torch
    table = torch.nn.Linear(4, 4)
    optimizer = torch.optim.SGD(table.parameters(), lr=1.0)
    step = torch.compile(optimizer.step, backend="eager")
    for _ in range(2):
        table(torch.ones(1, 4)).sum().backward()
        step()
    print(table.bias.tolist() != [0.0] * 4)
    """
    job = make_job(tmp_path, text, device="cuda", capture=True)
    assert server.run(job).state == RunState.ENDED
    capture = load(job.out)
    assert capture.errors == [] and len(capture.events(EventKind.STEP)) == 2
    assert not any("Warning" in line for line in printed(job))


def test_what_a_compiler_opens_is_not_the_scripts(server, tmp_path):
    """Its cache is no data; a file beside it is."""
    text = """
    import os, pathlib, tempfile
    cache = pathlib.Path(tempfile.gettempdir(), "torchinductor_user", "ab")
    cache.mkdir(parents=True)
    for file in (cache / "best_config.json", pathlib.Path("table.json")):
        file.write_text("{}")
    """
    job = make_job(tmp_path, text, device="cuda", capture=True)
    assert server.run(job).state == RunState.ENDED
    capture = load(job.out)
    assert list(capture.text[capture.events(EventKind.SAVE)]) == ["table.json"]
