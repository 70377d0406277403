"""What was scored before the number says which tokens would have another one chosen."""

import numpy as np

from harness.checks.looked import Look, ids_of_others


def test_tokens_that_another_pass_scores_better_are_found_and_no_others():
    """Of three states the first is the best of all; id 5 suits the second, id 6 the third. Equal
    passes, a pass alone and ids that are not ordinary give none.
    """
    tokens = np.tile([5, 6, 7, 8], 20)
    place = np.arange(64)
    best = np.full(64, 3.0)
    second = best + np.where(tokens[place] == 5, -0.5, 0.4)
    third = best + np.where(tokens[place] == 6, -0.2, 0.4)
    passes = [Look(place, nats) for nats in (second, best, third)]
    passes.append(Look(place[:40], best[:40]))  # of other positions
    ordinary = np.arange(5, 9)

    assert [ids.tolist() for ids in ids_of_others(passes, tokens, ordinary, 1, 3)] == [[5], [6]]
    assert [ids.tolist() for ids in ids_of_others(passes, tokens, ordinary[1:], 1, 1)] == [[6]]
    assert ids_of_others(passes[1:2], tokens, ordinary, 1, 3) == []
    assert ids_of_others([passes[1], passes[1]], tokens, ordinary, 1, 3) == []
