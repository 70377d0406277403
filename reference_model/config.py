"""The shape of a model, and nothing else: what an artifact must carry to be rebuilt.

Guarantees: a config that exists is one a `GPT` can be built from; anything else is refused with the
field's name. Does not cover: how the model is trained (`presets`), or stored (`artifact`).
"""

from dataclasses import asdict, dataclass

# An artifact is a stranger's file: these bounds keep a forged one from asking for the machine's
# memory. The record family stays near 11 layers, 512 wide.
MAX_LAYERS = 256
MAX_WIDTH = 16_384
MAX_SEQ_LEN = 1 << 20


class ConfigError(ValueError):
    """No model has this shape; the message names the field."""


@dataclass(frozen=True)
class ModelConfig:
    """Sizes and constants of one model."""

    vocab_size: int = 1024
    seq_len: int = 256  # training length, tokens
    n_layer: int = 4
    n_head: int = 4
    n_kv_head: int = 2  # grouped-query attention: each serves n_head / n_kv_head query heads
    model_dim: int = 128
    mlp_dim: int = 384
    rope_dims: int = 16  # of each head's dimensions; the rest see no position
    rope_base: float = 10_000.0
    logit_softcap: float = 30.0
    q_gain_init: float = 1.5

    def __post_init__(self) -> None:
        for name, top in _BOUNDS.items():
            value = getattr(self, name)
            if type(value) is not int or not 1 <= value <= top:
                raise ConfigError(f"{name} must be a whole number from 1 to {top}, got {value!r}")
        for name in ("rope_base", "logit_softcap", "q_gain_init"):
            value = getattr(self, name)
            if not isinstance(value, int | float) or not 0 < value < float("inf"):
                raise ConfigError(f"{name} must be positive, got {value!r}")
        if self.model_dim % self.n_head:
            raise ConfigError(f"n_head {self.n_head} must divide model_dim {self.model_dim}")
        if self.n_head % self.n_kv_head:
            raise ConfigError(f"n_kv_head {self.n_kv_head} must divide n_head {self.n_head}")
        if self.rope_dims % 2 or self.rope_dims > self.head_dim:
            raise ConfigError(
                f"rope_dims must be even and at most head_dim {self.head_dim}, got {self.rope_dims}"
            )

    @property
    def head_dim(self) -> int:
        return self.model_dim // self.n_head

    def as_dict(self) -> dict[str, int | float]:
        return asdict(self)

    @classmethod
    def from_dict(cls, fields: dict[str, object]) -> "ModelConfig":
        try:
            return cls(**fields)
        except TypeError as error:
            raise ConfigError(f"unknown or missing field: {error}") from error


_BOUNDS = {
    "vocab_size": 1 << 16,
    "seq_len": MAX_SEQ_LEN,
    "n_layer": MAX_LAYERS,
    "n_head": MAX_WIDTH,
    "n_kv_head": MAX_WIDTH,
    "model_dim": MAX_WIDTH,
    "mlp_dim": MAX_WIDTH,
    "rope_dims": MAX_WIDTH,
}
