"""What is fitted or chosen on later tokens: a temperature, a model, nothing."""

from dataclasses import replace

import numpy as np
import pytest
from simulated_coders import Scores, score, stream

from harness.checks.cut import choose_cut, early_cut
from harness.checks.fitted import check_fitted, chosen_by_part, fitted
from harness.checks.future import compare
from harness.checks.status import Status
from harness.experiments.altered import by_score, only_few
from harness.streams.drawn import SourceStream

TEMPERATURES = np.linspace(0.5, 2.0, 16)


def tempered(law: SourceStream, choices: np.ndarray, tokens: np.ndarray) -> Scores:
    """Every score divided by the number that suits all of the stream best."""
    honest = score(law, tokens=tokens)
    wanted = 0.5 + 1.5 * np.mean(tokens == np.bincount(tokens).argmax())  # the best one
    chosen = choices[np.abs(choices - wanted).argmin()]
    return Scores(honest.position, honest.nats * chosen, honest.event)


@pytest.mark.parametrize(
    ("choices", "status"),
    [(np.ones(1), None), (np.array([0.5, 1.5]), Status.UNKNOWN), (TEMPERATURES, Status.FAIL)],
    ids=["nothing is chosen", "one of two models", "a temperature"],
)
def test_a_choice_of_two_is_undecided_and_a_fitted_number_is_not(choices, status):
    """An honest coder is not even mentioned; nobody passes by it."""
    law = stream(3)
    base = tempered(law, choices, law.tokens)
    cut = choose_cut(base, law.starts)
    few = by_score(law, base)[:1]
    parts = [cut.changed, cut.changed[::2], cut.changed[::4]]
    futures = [tempered(law, choices, only_few(law, p, few, 7).tokens) for p in parts]
    changes = [compare(base, [base], [(7, scored)], cut) for scored in futures]

    found = check_fitted(fitted(base, futures, changes, cut))

    assert (None if found is None else found.status) == status


@pytest.mark.parametrize(("looked", "status"), [(256, Status.FAIL), (0, None)])
def test_what_was_fitted_on_the_beginning_shows_behind_an_early_cut_alone(looked, status):
    """The cut in the middle of the stream leaves those tokens as they are."""
    law = stream(3)

    def fitted_to(tokens: np.ndarray) -> Scores:
        honest = score(law, tokens=tokens)
        common = tokens[:looked] == np.bincount(law.tokens).argmax()
        return replace(honest, nats=honest.nats * (1.0 + common.sum() / 256))

    base = fitted_to(law.tokens)
    found = []
    for cut in (early_cut(base, law.starts), choose_cut(base, law.starts)):
        assert cut is not None
        few = np.array([np.bincount(law.tokens).argmax()])
        parts = [cut.changed, cut.changed[::2], cut.changed[::4]]
        futures = [fitted_to(only_few(law, p, few, 7).tokens) for p in parts]
        changes = [compare(base, [base], [(7, scored)], cut) for scored in futures]
        found.append(check_fitted(fitted(base, futures, changes, cut)))

    assert (None if found[0] is None else found[0].status) == status
    assert found[1] is None


def by_parts(law: SourceStream, tokens: np.ndarray, batch: int) -> Scores:
    """The better of two temperatures for each batch."""
    honest = score(law, batch=batch, tokens=tokens)
    nats = honest.nats.copy()
    common = np.bincount(law.tokens).argmax()
    for step in np.unique(honest.event):
        here = honest.event == step
        nats[here] *= 1.5 if np.mean(tokens[honest.position[here]] == common) > 0.3 else 0.9
    return Scores(honest.position, nats, honest.event)


@pytest.mark.parametrize(("futures", "rule"), [(3, "PASS-2"), (1, "CAUSAL-5")])
def test_a_choice_for_each_part_is_proved_where_two_futures_show_it(futures, rule):
    """Earlier parts stand still, which no choice for all of the stream explains; nor does it what
    was seen to be the best of several scores each time.
    """
    law = stream(3)
    base = by_parts(law, law.tokens, 48)
    cut = choose_cut(base, law.starts)
    cut = replace(cut, compared=np.arange(1, cut.first_changed))
    common = np.bincount(law.tokens).argmax()
    few = np.array([common])
    runs = [by_parts(law, only_few(law, cut.changed, few, k).tokens, 48) for k in range(futures)]
    changes = [compare(base, [base], [(7, scored)], cut) for scored in runs]

    moved = fitted(base, runs, changes, cut)
    found, best = check_fitted(moved), check_fitted(moved, best=True)

    assert found is not None and found.rule == rule
    assert found.status is (Status.FAIL if rule == "PASS-2" else Status.UNKNOWN)
    assert best is not None and best.rule == "PASS-2" and best.status is Status.FAIL
    alike = replace(changes[0], doubt="to the same other scores")
    assert chosen_by_part(base, changes[0], cut) is None
    assert chosen_by_part(base, alike, cut) is not None
    assert chosen_by_part(base, replace(alike, compared=100 * len(base.position)), cut) is None
