"""Where a training step's time goes, and the least that its operations can take.

Parts are timed apart, each waited for: forward alone, forward and backward, the update, the
averages. The floor is what the products of the model would take at the rate that this card reaches
on one large square product (measured here, bfloat16), and so leaves out all that is bound by
memory: norms, rotations, activations, the loss.

Guarantees: nothing is estimated but the count of operations, which is exact for products: 6 a
weight and token, and for causal attention half of the square, 2 products forward, 5 backward.
"""

import time
from collections.abc import Callable

import torch

from reference_model.config import ModelConfig
from reference_model.trainer import Trainer

REPEATS = 3
SQUARE = 8_192
N_KERNELS = 40


def breakdown(trainer: Trainer) -> str:
    """Tables, in milliseconds a step. Goes on training the model by a few steps."""
    preset = trainer.preset
    n_tokens = preset.batch_size * preset.config.seq_len
    rate = _product_rate(trainer.ranks.device)
    matrices, attention = operations(preset.config)
    forward = _seconds(trainer, lambda: _forward(trainer))
    both = _seconds(trainer, trainer._backward)
    update = _seconds(trainer, trainer.optimizers.step)
    trainer.optimizers.zero_grad()
    averages = _seconds(trainer, trainer._average)
    rows = [
        ("forward", forward),
        ("backward", both - forward),
        ("update (clip, Muon, AdamW)", update),
        ("averages", averages),
        ("sum", both + update + averages),
        ("floor: products of matrices", n_tokens * matrices / rate),
        ("floor: attention", n_tokens * attention / rate),
    ]
    lines = [f"  {name:30s} {1000 * s:9.1f} ms" for name, s in rows]
    lines.append(f"  (floors at {rate / 1e12:.0f} TFLOP/s, a product of {SQUARE} squared here)")
    return "\n".join(["our step:", *lines, *_kernels(trainer)])


def _kernels(trainer: Trainer) -> list[str]:
    """The kernels that take longest in one step, on a GPU."""
    if trainer.ranks.device.type != "cuda":
        return []
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA]) as profile:
        trainer.train_step()
        torch.cuda.synchronize()
    events = sorted(profile.key_averages(), key=lambda e: -e.self_device_time_total)
    return [
        f"  {e.self_device_time_total / 1000:9.1f} ms {e.count:5d} x {e.key[:90]}"
        for e in events[:N_KERNELS]
    ]


def operations(config: ModelConfig) -> tuple[float, float]:
    """Floating-point operations a token, forward and backward: matrices; causal attention."""
    d, layers = config.model_dim, config.n_layer
    block = 2 * d * d + 2 * config.kv_dim * d + 2 * config.mlp_dim * d
    small = config.bigram_dim * d + config.value_embed_dim * config.kv_dim
    weights = layers * block + config.vocab_size * d + small
    return 6.0 * weights, 7.0 * layers * d * config.seq_len


@torch.no_grad()
def _forward(trainer: Trainer) -> None:
    inputs, targets = trainer.windows.at(trainer.step)
    n = trainer.preset.micro_windows
    for x, y in zip(inputs.split(n), targets.split(n), strict=True):
        trainer.run_model(x, y)


def _seconds(trainer: Trainer, work: Callable[[], object]) -> float:
    """Of one call, after one that is not counted (a forward without gradients compiles anew)."""
    work()
    _wait(trainer.ranks.device)
    start = time.perf_counter()
    for _ in range(REPEATS):
        work()
    _wait(trainer.ranks.device)
    return (time.perf_counter() - start) / REPEATS


def _product_rate(device: torch.device) -> float:
    """Operations a second of one large product."""
    cuda = device.type == "cuda"
    n = SQUARE if cuda else 512
    a = torch.randn(n, n, device=device, dtype=torch.bfloat16 if cuda else torch.float32)
    for _ in range(5):
        a @ a
    _wait(device)
    start = time.perf_counter()
    for _ in range(10):
        a @ a
    _wait(device)
    return 10 * 2.0 * n**3 / (time.perf_counter() - start)


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()
