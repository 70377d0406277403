"""What the controls of a battery showed on this script: one measured power a rule.

Guarantees: a class whose control did not run is not there. Two ways to have power: the source test
would have refuted the control, or the control moved enough scores for another future to be seen.
"""

import numpy as np

from harness.arrays import Floats
from harness.checks.e_values import THRESHOLD_NATS
from harness.checks.power import (
    ADAPTATION,
    Power,
    adaptation_effect,
    adaptation_power,
    carries_nothing,
    context_power,
    moves,
    table_power,
    training_power,
    without_effect,
    without_training,
    without_updates,
)
from harness.checks.source import source_test
from harness.experiments.evidence import Evidence
from harness.experiments.run_name import RunKind
from harness.trace.script_run import ScriptRun
from harness.verdict.louder import HOW


def measured_power(evidence: Evidence) -> dict[str, Power]:
    """By rule."""
    found: dict[str, Power] = {}
    base = evidence.base
    if base.scored is not None and not base.adapts:
        found |= dict.fromkeys(ADAPTATION, without_updates(THRESHOLD_NATS))
    if base.scored is not None and not base.softmax_width and evidence.table_entries:
        found["NORM-1"] = table_power(base.source, evidence.table_entries, THRESHOLD_NATS)
    if (context := _context(evidence)) is not None:
        found["CAUSAL-1"] = context
    trained, copied = evidence.get(RunKind.TRAINING), evidence.get(RunKind.DUPLICATED)
    if not evidence.trains:
        found["ORDER-2"] = without_training(THRESHOLD_NATS)
    if trained is not None and trained.headline is not None:
        power = training_power(source_test(trained.headline, trained.scored, trained.source))
        found["ORDER-2"] = _seen_by_moves(power, base, trained)
    if copied is not None and base.adapts:
        power = adaptation_power(copied.scored, copied.source, THRESHOLD_NATS)
        power = _reached(power, copied, evidence)
        if not power.shown and not base.updates and carries_nothing(_effects(copied, evidence)):
            power = without_effect(THRESHOLD_NATS)
        found |= dict.fromkeys(ADAPTATION, power)
    return found


def _context(evidence: Evidence) -> Power | None:
    """With the script's own weights, else with louder ones; where those, too, pass on nothing but
    the newest token, that is all that the script looks at.
    """
    future, cut = evidence.get(RunKind.FUTURE, 1), evidence.cut
    if future is None or cut is None:
        return None
    plain = context_power(evidence.base, future, cut.context)
    loud, changed = evidence.get(RunKind.LOUD), evidence.get(RunKind.LOUD_FUTURE, 1)
    if plain.shown or loud is None or changed is None or evidence.louder is None:
        return plain
    with_noise = context_power(loud, changed, cut.context, f", {HOW},")
    if with_noise.shown:
        return with_noise
    newest = context_power(loud, changed, cut.newest, f", {HOW}, of the newest token alone,")
    return newest if newest.shown else plain


def _seen_by_moves(power: Power, base: ScriptRun, trained: ScriptRun) -> Power:
    """Had validation tokens been trained on, another future would have moved scores."""
    if base.scored is None or trained.scored is None:
        return power
    return power.with_moves(moves(base.scored, trained.scored)[1], "the scores")


def _reached(power: Power, copied: ScriptRun, evidence: Evidence) -> Power:
    """Updates that carry early tokens into later scores would carry the score's own token too."""
    seen = [power.with_moves(e, "later scores") for e in _effects(copied, evidence)]
    if (rates := evidence.rates) is not None:
        effect = adaptation_effect(rates.base, rates.early, evidence.reach)
        how = f"later scores, with learning rates {rates.times:g} times as high,"
        seen.append(power.with_moves(effect, how))
    return max(seen, key=lambda p: p.by_moves, default=power)


def _effects(copied: ScriptRun, evidence: Evidence) -> list[Floats]:
    """Of early tokens on later scores, and of a chunk's copy behind other beginnings."""
    early, resampled = evidence.get(RunKind.EARLY), evidence.get(RunKind.RESAMPLED)
    pairs = ((evidence.base, early), (copied, resampled))
    found = [adaptation_effect(a, b, evidence.reach) for a, b in pairs if b]
    return found if early is not None else [*found, np.empty(0)]
