"""What a recipe says: a model's shape, how it is trained, averaged, rounded and stored.

Guarantees: a recipe is complete: with a seed, data and a device it determines the run (on a budget
of seconds, together with the machine's speed). Does not cover: adaptation during evaluation, which
is the harness's part of the contest.
"""

from dataclasses import dataclass, replace

from reference_model.config import ModelConfig
from reference_model.optim import OptimSettings
from reference_model.quantize import QuantSettings
from reference_model.schedule import Schedule


@dataclass(frozen=True)
class Averaging:
    """Which weights are shipped."""

    ships: str  # "ema", "swa" or "last"
    ema_decay: float = 0.0  # a step; 0: no average
    swa_every: int = 0  # steps between samples; 0: none
    swa_below: float = 0.2  # samples only while the learning-rate scale is below
    swa_of: str = "weights"  # or "ema"

    def __post_init__(self) -> None:
        made = {"last": True, "ema": self.ema_decay > 0, "swa": self.swa_every > 0}
        if not made.get(self.ships):
            raise ValueError(f"this recipe makes no {self.ships!r} weights to ship")
        if self.swa_of not in ("weights", "ema") or (self.swa_of == "ema" and not made["ema"]):
            raise ValueError(f"there is no {self.swa_of!r} to sample")


@dataclass(frozen=True)
class LateQuantization:
    """What the last steps do for the rounding to come; a bound of 0: never."""

    qat_below: float = 0.0  # straight-through rounding under this learning-rate scale
    crown_weight: float = 0.0  # of the CROWN-Q penalty
    crown_below: float = 0.0  # its learning-rate scale


@dataclass(frozen=True)
class Preset:
    name: str
    config: ModelConfig  # its vocab_size is replaced by the data's
    optim: OptimSettings
    schedule: Schedule
    averaging: Averaging
    late: LateQuantization
    quant: QuantSettings
    compressor: str  # "lzma" or "zstd", see `artifact`
    reads: str  # "shuffled" (batches) or "in order" (shard_stream)
    batch_size: int  # windows of seq_len tokens a step, over all processes
    micro_windows: int  # at most so many at once on one device
    compiled: bool  # by torch.compile
    discarded_steps: int  # taken first, to compile; their state is thrown away
    budget_s: float | None  # seconds of training and calibration together; None: steps alone decide
    calibration_s: float  # of the budget, kept for rounding
    log_every: int  # steps
    checkpoint_every: int  # steps; a kill loses at most these
    val_tokens: int  # at most so many are evaluated after training

    @property
    def n_steps(self) -> int:
        return self.schedule.n_steps

    @property
    def training_s(self) -> float | None:
        """The part of the budget that steps may take."""
        return None if self.budget_s is None else self.budget_s - self.calibration_s

    def with_steps(self, n_steps: int) -> "Preset":
        """The same recipe in another number of steps, its warmdown the same share of them."""
        share = self.schedule.warmdown_steps / self.schedule.n_steps
        warmdown = max(1, round(share * n_steps))
        schedule = replace(self.schedule, n_steps=n_steps, warmdown_steps=warmdown)
        return replace(self, schedule=schedule)
