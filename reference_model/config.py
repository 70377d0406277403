"""The shape of a model, and nothing else: what an artifact must carry to be rebuilt.

Every technique of the record family is one field here; with the defaults all of them that cost
parameters are off. Guarantees: a config that exists is one a `GPT` can be built from; anything else
is refused with the field's name. Does not cover: how the model is trained (`presets`), or stored
(`artifact`).
"""

import math
from dataclasses import asdict, dataclass, replace

# An artifact is a stranger's file: these bounds keep a forged one from asking for the machine's
# memory. The record family stays near 11 layers, 512 wide.
MAX_LAYERS = 256
MAX_WIDTH = 16_384
MAX_SEQ_LEN = 1 << 20
MAX_BUCKETS = 1 << 20
MAX_MTP_HEADS = 16

ACTIVATIONS = ("leaky_relu2", "relu2")


class ConfigError(ValueError):
    """No model has this shape; the message names the field."""


@dataclass(frozen=True)
class ModelConfig:
    """Sizes, constants and switches of one model."""

    vocab_size: int = 1024
    seq_len: int = 256  # training length, tokens
    n_layer: int = 4
    n_unique_layers: int = 0  # layer i uses the matrices of layer i mod this (#537: 10); 0: its own
    n_head: int = 4
    n_kv_head: int = 2  # grouped-query attention: each serves n_head / n_kv_head query heads
    model_dim: int = 128
    mlp_dim: int = 384
    mlp_activation: str = "leaky_relu2"  # or "relu2", see `mlp`
    rope_dims: int = 16  # of each head's dimensions; the rest see no position
    rope_base: float = 10_000.0
    rope_ntk_len: int = 0  # windows beyond this many tokens stretch the base (#549: 1024); 0: never
    q_gain_init: float = 1.5
    xsa_last_n: int = 0  # exclusive self-attention in this many last layers; n_layer: in all
    value_residual: bool = False  # mix the first layer's values into every later one's
    gated_attention: bool = False  # a sigmoid gate per head and position, read from the input
    value_embed_layers: tuple[int, ...] = ()  # layers whose values also see the token's identity
    value_embed_dim: int = 128
    bigram_buckets: int = 0  # of the hashed bigram embedding; 0: none
    bigram_dim: int = 128
    smear_gate: bool = False  # mix each embedding with its predecessor's
    smear_boundary_id: int = -1  # token that opens a document and never takes from before; -1: none
    skips: bool = False  # U-Net: late layers also read the early layer that mirrors them
    residual_scale: bool = True  # branches read their input times 1 / sqrt(layer + 1)
    tied_embeddings: bool = True  # the head is the token embedding
    orthogonal_init: bool = True  # of matrices; off: uniform as torch.nn.Linear has it
    logit_softcap: float = 30.0
    mtp_heads: int = 0  # multi-token prediction, in training only; not in the artifact
    mtp_weight: float = 0.2  # of their mean loss beside the main one

    def __post_init__(self) -> None:
        for name, (bottom, top) in _WHOLE.items():
            value = getattr(self, name)
            if type(value) is not int or not bottom <= value <= top:
                raise ConfigError(
                    f"{name} must be a whole number from {bottom} to {top}, got {value!r}"
                )
        for name in _POSITIVE:
            value = getattr(self, name)
            if type(value) not in (int, float) or not 0 < value < math.inf:
                raise ConfigError(f"{name} must be positive, got {value!r}")
        for name in _SWITCHES:
            if type(value := getattr(self, name)) is not bool:
                raise ConfigError(f"{name} must be true or false, got {value!r}")
        if self.mlp_activation not in ACTIVATIONS:
            raise ConfigError(
                f"mlp_activation must be one of {', '.join(ACTIVATIONS)}, "
                f"got {self.mlp_activation!r}"
            )
        self._check_heads()
        self._check_layers()
        self._check_tokens()

    def _check_heads(self) -> None:
        if self.model_dim % self.n_head:
            raise ConfigError(f"n_head {self.n_head} must divide model_dim {self.model_dim}")
        if self.n_head % self.n_kv_head:
            raise ConfigError(f"n_kv_head {self.n_kv_head} must divide n_head {self.n_head}")
        if self.rope_dims % 2 or self.rope_dims > self.head_dim:
            raise ConfigError(
                f"rope_dims must be even and at most head_dim {self.head_dim}, got {self.rope_dims}"
            )
        if self.rope_ntk_len and self.rope_dims < 4:
            raise ConfigError(f"rope_ntk_len needs rope_dims of 4 or more, got {self.rope_dims}")

    def _check_layers(self) -> None:
        for name in ("n_unique_layers", "xsa_last_n"):
            if getattr(self, name) > self.n_layer:
                raise ConfigError(f"{name} must be at most n_layer {self.n_layer}")
        if self.skips and self.n_layer < 2:
            raise ConfigError("skips need an n_layer of 2 or more: one to write, one to read")
        layers = self.value_embed_layers
        whole = type(layers) is tuple and all(type(layer) is int for layer in layers)
        if not whole or list(layers) != sorted(set(layers) & set(range(self.n_layer))):
            raise ConfigError(
                f"value_embed_layers must be rising layers below {self.n_layer}, got {layers!r}"
            )

    def _check_tokens(self) -> None:
        if self.bigram_buckets == 1:
            raise ConfigError(
                "bigram_buckets must be 0 or at least 2: the last one holds no bigram"
            )
        if self.smear_boundary_id >= self.vocab_size:
            raise ConfigError(f"smear_boundary_id must be below vocab_size {self.vocab_size}")
        if self.smear_boundary_id >= 0 and not self.smear_gate:
            raise ConfigError("smear_boundary_id means nothing without smear_gate")

    @property
    def head_dim(self) -> int:
        return self.model_dim // self.n_head

    @property
    def kv_dim(self) -> int:
        """Width of all keys, and of all values, of one position."""
        return self.n_kv_head * self.head_dim

    @property
    def n_banked(self) -> int:
        """Layers that have matrices of their own."""
        return self.n_unique_layers or self.n_layer

    @property
    def shipped(self) -> "ModelConfig":
        """The model that an artifact holds: without what serves training only."""
        return replace(self, mtp_heads=0)

    def as_dict(self) -> dict[str, object]:
        return asdict(self)

    @classmethod
    def from_dict(cls, fields: dict[str, object]) -> "ModelConfig":
        """Raises ConfigError. JSON has no tuples: lists become them."""
        try:
            return cls(**{k: tuple(v) if type(v) is list else v for k, v in fields.items()})
        except TypeError as error:
            raise ConfigError(f"unknown or missing field: {error}") from error


_WHOLE = {
    "vocab_size": (1, 1 << 16),
    "seq_len": (1, MAX_SEQ_LEN),
    "n_layer": (1, MAX_LAYERS),
    "n_unique_layers": (0, MAX_LAYERS),
    "n_head": (1, MAX_WIDTH),
    "n_kv_head": (1, MAX_WIDTH),
    "model_dim": (1, MAX_WIDTH),
    "mlp_dim": (1, MAX_WIDTH),
    "rope_dims": (1, MAX_WIDTH),
    "rope_ntk_len": (0, MAX_SEQ_LEN),
    "xsa_last_n": (0, MAX_LAYERS),
    "value_embed_dim": (1, MAX_WIDTH),
    "bigram_buckets": (0, MAX_BUCKETS),
    "bigram_dim": (1, MAX_WIDTH),
    "smear_boundary_id": (-1, 1 << 16),
    "mtp_heads": (0, MAX_MTP_HEADS),
}
_POSITIVE = ("rope_base", "logit_softcap", "q_gain_init", "mtp_weight")
_SWITCHES = (
    "value_residual",
    "gated_attention",
    "smear_gate",
    "skips",
    "residual_scale",
    "tied_embeddings",
    "orthogonal_init",
)
