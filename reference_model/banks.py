"""Parameter banks: the matrices of all blocks in four contiguous 3-D tensors.

    qo_bank        (2L, D, D)     queries of layers 0..L-1, then output projections
    kv_bank        (2L, D_kv, D)  keys, then values
    mlp_up_bank    (L, M, D)
    mlp_down_bank  (L, D, M)

Names, shapes and order are #549's (#399 brought them): an optimiser orthogonalises a bank in one
batched product, and ranks split it along its first dimension. L counts the layers with matrices of
their own; with `n_unique_layers` later layers use them again (#537).

Guarantees: every block matrix is in exactly one bank, at the row that `bank_rows` names.
Does not cover: what is small (gains, scales, gates): those stay in their modules.
"""

from collections.abc import Mapping
from typing import Generic, NamedTuple, TypeVar

from torch import Tensor

from reference_model.config import ModelConfig

BANKS = ("qo_bank", "kv_bank", "mlp_up_bank", "mlp_down_bank")

T = TypeVar("T")


class PerMatrix(NamedTuple, Generic[T]):
    """Something for each matrix of one block; the matrices are linear maps, outputs by inputs."""

    q: T  # (D, D)
    k: T  # (D_kv, D)
    v: T  # (D_kv, D)
    out: T  # (D, D)
    up: T  # (M, D)
    down: T  # (D, M)


class BankRow(NamedTuple):
    bank: str
    row: int


def bank_shapes(config: ModelConfig) -> dict[str, tuple[int, int, int]]:
    n, d = config.n_banked, config.model_dim
    return {
        "qo_bank": (2 * n, d, d),
        "kv_bank": (2 * n, config.kv_dim, d),
        "mlp_up_bank": (n, config.mlp_dim, d),
        "mlp_down_bank": (n, d, config.mlp_dim),
    }


def bank_rows(config: ModelConfig, layer: int) -> PerMatrix[BankRow]:
    """Where the matrices of a layer lie."""
    n = config.n_banked
    i = layer % n
    return PerMatrix(
        q=BankRow("qo_bank", i),
        k=BankRow("kv_bank", i),
        v=BankRow("kv_bank", n + i),
        out=BankRow("qo_bank", n + i),
        up=BankRow("mlp_up_bank", i),
        down=BankRow("mlp_down_bank", i),
    )


def split_banks(
    banks: Mapping[str, Tensor],  # the four, shapes as above, any dtype
    config: ModelConfig,
) -> list[PerMatrix[Tensor]]:
    """Each layer's matrices, views of the banks.

    One unbind a bank, not one index a matrix: the gradient is then written once, in place of 2L
    bank-sized tensors that are zero but for one row, and their sum.
    """
    rows = {name: bank.unbind(0) for name, bank in banks.items()}
    return [
        PerMatrix(*(rows[bank][row] for bank, row in bank_rows(config, layer)))
        for layer in range(config.n_layer)
    ]


def n_uses(config: ModelConfig, layer: int) -> int:
    """How many layers use the matrices of this one."""
    n = config.n_banked
    return len(range(layer % n, config.n_layer, n))


def damp_gradient(
    weight: Tensor,
    n_uses: int,
) -> Tensor:
    """The same values; the gradient divided by `n_uses`, so that shared layers average (#537)."""
    if n_uses == 1:
        return weight
    still = weight.detach()
    return still + (weight - still) / n_uses
