"""How long a run trains, how often it stops to do something else, and how far a step goes."""

from harness.configure.shrinking.target import Proportions


def iterations(value: float, was: Proportions) -> float | None:
    """Training steps."""
    return was.target.iterations if value > 0 else None


def warmdown(value: float, was: Proportions) -> float | None:
    """Half of the training: averages, late quantisation and checkpoints begin where the learning
    rate has fallen, and in one last step there would be nothing to choose from.
    """
    most = 1 if was.target.native else max(1, was.target.iterations // 2)
    return most if value > most else None


def seconds(value: float, was: Proportions) -> float | None:
    """The clock that ends the training."""
    return was.target.wallclock_s


def epochs(value: float, was: Proportions) -> float | None:
    """Passes of a technique that trains at evaluation time."""
    return was.target.epochs if value > was.target.epochs else None


def steps(value: float, was: Proportions) -> float | None:
    """Its optimiser steps."""
    return was.target.steps if value > was.target.steps else None


def first_step(value: float, was: Proportions) -> float | None:
    """A step at which something begins, or how often something is done: as soon as can be."""
    return 1 if value > 1 else None


def validation_interval(value: float, was: Proportions) -> float | None:
    """Steps between two validations in the training."""
    return was.target.val_every


def adaptation_rate(value: float, was: Proportions) -> float | None:
    """A tiny model adapts in few steps or not at all; an invisible update proves nothing."""
    if value <= 0 or value >= 1e-2:
        return None
    return float(f"{value * (8 if value <= 1e-3 else 4):.6g}")


def switched_off(value: float, was: Proportions) -> float | None:
    """What only costs time here."""
    return 0 if value != 0 else None
