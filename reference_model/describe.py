"""What a recipe's model consists of: every tensor's shape, how it is stored, and the total.

    python -m reference_model.train --preset record_549 --describe

Guarantees: nothing is allocated or trained; the shapes are those of the model that the recipe
builds, the classes those that its artifact uses. Does not cover: the artifact's size, which depends
on how well the trained integers compress.
"""

from dataclasses import dataclass

import torch

from reference_model.gpt import GPT
from reference_model.presets import Preset
from reference_model.quantize import tensor_class

TRAINING_ONLY = "not shipped"


@dataclass(frozen=True)
class TensorFacts:
    name: str
    shape: tuple[int, ...]
    n_parameters: int
    stored_as: str  # "int5", "int6", "int8", "fp16", or "not shipped" for what only training has


def tensor_facts(preset: Preset) -> list[TensorFacts]:
    """One for each parameter, in the model's order."""
    with torch.device("meta"):
        model = GPT(preset.config)
    shipped = {name for name, _ in model.shipped_parameters()}
    return [
        TensorFacts(
            name,
            tuple(p.shape),
            p.numel(),
            tensor_class(name, p.shape, preset.quant) if name in shipped else TRAINING_ONLY,
        )
        for name, p in model.named_parameters()
    ]


def describe(preset: Preset) -> str:
    """A table, one tensor a line, then the sums by class and the total."""
    facts = tensor_facts(preset)
    width = max(len(fact.name) for fact in facts)
    lines = [
        f"{fact.name:{width}}  {_shape(fact.shape):>18}  {fact.stored_as:>11}  "
        f"{fact.n_parameters:>12,}"
        for fact in facts
    ]
    by_class: dict[str, int] = {}
    for fact in facts:
        by_class[fact.stored_as] = by_class.get(fact.stored_as, 0) + fact.n_parameters
    sums = [f"{n:,} {stored_as}" for stored_as, n in sorted(by_class.items())]
    total = sum(fact.n_parameters for fact in facts)
    return "\n".join([*lines, "", f"{preset.name}: {total:,} parameters ({', '.join(sums)})"])


def _shape(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape)) or "scalar"
