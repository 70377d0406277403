"""In a process of its own: what a CUDA script finds after `shim.install("cpu")`.

One program answers many questions, for starting torch is most of a test's time.
"""

import json
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

_PROGRAM = """
import json, os, sys, threading
import torch, torch.nn as nn, torch.nn.functional as F
from harness.inside import shim
torch._C._accelerator_getAccelerator = lambda: torch.device("cuda")  # a build for CUDA, no driver
shim.install("cpu", compiled=False)
answers = {}

# a CUDA device everywhere
device = torch.device("cuda", 0)
torch.cuda.set_device(device)
torch.cuda.manual_seed_all(7)
model = nn.Linear(4, 8, device="cuda").to(device, non_blocking=True).cuda()
x = torch.randn(16, 4, device=device)
made = [torch.zeros(2, device="cuda:0"), torch.zeros_like(x, device=device),
        x.new_ones(3, device=device), torch.tensor([1], device=device),
        torch.empty(2, pin_memory=True), torch.arange(3).pin_memory().to(0)]
with torch.device("cuda"):
    made.append(torch.ones(2))
thread = threading.Thread(target=lambda: made.append(torch.ones(2, device="cuda")))
thread.start(); thread.join()
answers["devices"] = sorted({str(one.device) for one in made + list(model.parameters())})
answers["available"] = [torch.cuda.is_available(), torch.cuda.device_count(),
                        torch.cuda.get_device_capability()]

# random state
state = torch.cuda.get_rng_state()
first = torch.rand(3, device="cuda"); torch.cuda.set_rng_state(state)
answers["repeats"] = torch.equal(first, torch.rand(3, device="cuda"))
draws = [torch.rand(3, device="cuda", generator=torch.Generator(device=device).manual_seed(3))
         for _ in range(2)]
answers["generator"] = torch.equal(*draws)

# snapshots
saved = {name: value.detach().cpu() for name, value in model.state_dict().items()}
kept = {name: value.clone() for name, value in saved.items()}
back = saved["weight"].to(device)
with torch.no_grad():
    model.weight.add_(1); back.mul_(0)
answers["snapshot"] = torch.equal(saved["weight"], kept["weight"])
torch.save(saved, "saved.pt")
loaded = torch.load("saved.pt", map_location=device, weights_only=True)
answers["loads"] = torch.equal(loaded["weight"], kept["weight"])
answers["no copy on the device"] = x.to(device) is x

# autocast
with torch.autocast(device_type="cuda", dtype=torch.bfloat16):
    y = model(x)
    answers["kinds"] = [str(t.dtype) for t in (y, F.log_softmax(y, -1), y.exp(), y.sum(), y + y)]
    loss = F.cross_entropy(y, torch.zeros(16, dtype=torch.long, device=device), reduction="none")
    answers["enabled"] = torch.is_autocast_enabled()
exact = F.cross_entropy(y.detach().float(), torch.zeros(16, dtype=torch.long), reduction="none")
answers["loss"] = [str(loss.dtype), float((loss.detach() - exact).abs().max())]
loss.sum().backward()
torch.optim.AdamW(model.parameters()).step()
answers["gradient"] = bool(model.weight.grad.abs().sum() > 0)

# compilation, streams
@torch.compile(dynamic=False, fullgraph=True)
def double(x): return x * 2
import torch._dynamo
torch._dynamo.config.optimize_ddp = False
torch._dynamo.config.unknown_setting = 3
answers["eager"] = torch.compile(double) is double and double(2) == 4
stream = torch.cuda.Stream()
stream.wait_stream(torch.cuda.current_stream())
start = torch.cuda.Event(enable_timing=True); start.record()
with torch.cuda.stream(stream): torch.cuda.synchronize()
end = stream.record_event()
answers["elapsed"] = start.elapsed_time(end) >= 0
torch.optim.AdamW(model.parameters(), fused=True).step()

# operators that only have a CUDA kernel
@torch.library.custom_op("law::twice", mutates_args=(), device_types="cuda")
def twice(x: torch.Tensor) -> torch.Tensor: return x * 2
answers["operator"] = float(twice(torch.ones(1)))
a, b = torch.randn(3, 4), torch.randn(4, 5)
product = torch.ops.cutlass_evt.gemm_mul(a, b, torch.full((3, 5), 2.0))
answers["cutlass"] = torch.equal(product, (a @ b) * 2)

# packages
from flash_attn_interface import flash_attn_func
from flash_attn.flash_attn_interface import flash_attn_varlen_func
from flash_attn_3 import flash_attn_func as third
import huggingface_hub, kernels, wandb
wandb.init(project="p").log({"loss": 1})
answers["attention"] = kernels.get_kernel("kernels-community/flash-attn3").flash_attn_func is third
for name, call in (("mamba_ssm", lambda: __import__("no_such_package")),
                   ("download", lambda: huggingface_hub.snapshot_download(repo_id="a/b")),
                   ("graph", lambda: torch.cuda.CUDAGraph()),
                   ("kernel", lambda: kernels.get_kernel("somebody/scan"))):
    try: call()
    except Exception as error: answers[name] = f"{type(error).__name__}: {error}"

# collectives
import torch.distributed as dist
os.environ.update(RANK="0", WORLD_SIZE="1", MASTER_ADDR="127.0.0.1", MASTER_PORT="0")
store = dist.HashStore()
dist.init_process_group(backend="nccl", device_id=device, store=store, rank=0, world_size=1)
value = torch.full((2,), 3.0, device="cuda"); dist.all_reduce(value, op=dist.ReduceOp.AVG)
dist.barrier(device_ids=[0])
wrapped = nn.parallel.DistributedDataParallel(nn.Linear(2, 2).to(device), device_ids=[0])
answers["collective"] = [dist.get_backend(), value.tolist(), list(wrapped(torch.ones(1, 2)).shape)]
dist.destroy_process_group()

# kernels
import triton, triton.language as tl
from triton.tools.tensor_descriptor import TensorDescriptor
sys.path.insert(0, os.getcwd())
import law_kernels
x = torch.randn(20).bfloat16(); out = torch.empty_like(x)
law_kernels.affine[(triton.cdiv(20, 8),)](x, out, 20, B=8)
expected = ((x * 3).float() + 1).bfloat16()
answers["bfloat16"] = torch.equal(out, expected)
a, b = torch.randn(16, 16).bfloat16(), torch.randn(16, 16).bfloat16()
c = torch.empty_like(a)
law_kernels.product[(1,)](*(TensorDescriptor.from_tensor(t, [16, 16]) for t in (a, b, c)), M=16)
gap = (c.float() - a.float() @ b.float().T).abs().max()
answers["product"] = float(gap / c.float().abs().max())
print(json.dumps(answers))
"""

_KERNELS = """
import triton
import triton.language as tl


@triton.jit
def affine(x, out, n, B: tl.constexpr):
    at = tl.program_id(0) * B + tl.arange(0, B)
    value = tl.load(x + at, mask=at < n)
    tl.store(out + at, (value * 3).to(tl.float32) + tl.cdiv(B, B), mask=at < n)


@triton.jit
def product(a, b, c, M: tl.constexpr):
    c.store([0, 0], tl.dot(a.load([0, 0]), b.load([0, 0]).T).to(tl.bfloat16))
"""


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the program printed."""
    folder = tmp_path_factory.mktemp("shim")
    (folder / "law_kernels.py").write_text(_KERNELS, encoding="utf-8")
    path = str(Path(__file__).parents[3])
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(_PROGRAM)],
        cwd=folder,
        env={"PYTHONPATH": path, "OMP_NUM_THREADS": "1", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def test_every_cuda_device_is_the_cpu(answers: dict[str, Any]) -> None:
    """Factories, moves, modules, contexts and the script's own threads."""
    assert answers["devices"] == ["cpu"]
    assert answers["available"] == [True, 1, [9, 0]]


def test_random_state_repeats(answers: dict[str, Any]) -> None:
    """A restored state and a seeded generator give the same numbers again."""
    assert answers["repeats"] and answers["generator"]


def test_a_host_copy_does_not_follow_the_weights(answers: dict[str, Any]) -> None:
    """What was saved with `.cpu()` stays, also when a copy of it on the device is written to."""
    assert answers["snapshot"] and answers["loads"]


def test_a_tensor_already_there_is_not_copied(answers: dict[str, Any]) -> None:
    """`.to(device)` of a device tensor returns it, as on CUDA."""
    assert answers["no copy on the device"]


def test_scores_under_autocast_are_float32(answers: dict[str, Any]) -> None:
    """Products are bfloat16; softmax, exponentials, sums and losses are not, as on CUDA."""
    float32, half = "torch.float32", "torch.bfloat16"
    assert answers["kinds"] == [half, float32, float32, float32, half]
    assert answers["enabled"]
    assert answers["loss"][0] == float32
    assert answers["loss"][1] < 1e-6  # nats
    assert answers["gradient"]


def test_compiling_and_waiting_change_nothing(answers: dict[str, Any]) -> None:
    """`torch.compile` is eager, unknown settings are harmless, events order themselves."""
    assert answers["eager"] and answers["elapsed"]


def test_operators_for_cuda_only_run(answers: dict[str, Any]) -> None:
    """A custom operator restricted to CUDA, and the CUTLASS fusion by its definition."""
    assert answers["operator"] == 2.0
    assert answers["cutlass"]


def test_absent_packages_are_served_or_named(answers: dict[str, Any]) -> None:
    """Attention comes from one place; what cannot be served says its name."""
    assert answers["attention"]
    assert answers["mamba_ssm"] == "ModuleNotFoundError: No module named 'no_such_package'"
    assert answers["download"].startswith("ConnectionError: a/b")
    assert "torch.cuda.CUDAGraph" in answers["graph"]
    assert "somebody/scan" in answers["kernel"]


def test_nccl_is_carried_by_gloo(answers: dict[str, Any]) -> None:
    """The group starts, averages, waits and wraps a model; its name is the one asked for."""
    assert answers["collective"] == ["nccl", [3.0, 3.0], [1, 2]]


def test_kernels_compute_what_their_text_says(answers: dict[str, Any]) -> None:
    """Interpreted bfloat16 arithmetic rounds as PyTorch's does; products accumulate in float32."""
    assert answers["bfloat16"]
    assert answers["product"] < 2**-8  # one bfloat16 rounding
