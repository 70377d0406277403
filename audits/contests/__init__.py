"""Contests: each is a file, shipped here or the user's own; the catalogue of rules is one for all.

Guarantees: a file that is broken raises `ContestError`, which names file, key, cause and cure.
Does not cover: what no file can say, which is the adapter of an evaluator family in the harness.
"""

from audits.contests.contest import Contest, Family, KnownText, Limits, Rows, Size, SizeRole, Where
from audits.contests.frozen import FrozenFile, frozen_files
from audits.contests.reading import ContestError, load_contest, read_contest, shipped_names
from audits.contests.recognition import Recognised, chosen_contest

__all__ = [
    "Contest",
    "ContestError",
    "Family",
    "FrozenFile",
    "KnownText",
    "Limits",
    "Recognised",
    "Rows",
    "Size",
    "SizeRole",
    "Where",
    "chosen_contest",
    "frozen_files",
    "load_contest",
    "read_contest",
    "shipped_names",
]
