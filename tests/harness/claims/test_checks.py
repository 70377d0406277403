"""Numbers of papers against each other: what contradicts is found, what only looks odd is not."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from paper_folders import BITS, log, write_folder

from audits.contests import load_contest
from harness.checks.status import Status
from harness.claims.checks import check_claims
from harness.claims.evidence import weighed
from harness.claims.finding import Standing
from harness.claims.reading import read_claims

CONTEST = load_contest("parameter_golf")
OVER = {"total": 31_019_889, "weights": 30_959_889}
# The bytes of one log in four, counted with the space before each word twice.
TWICE = 176_300_000
ONE_RUN = {"seed_results": {}}


def standings(folder: Path) -> Mapping[str, Standing]:
    """The worst of each rule."""
    found: dict[str, Standing] = {}
    for one in check_claims(read_claims(folder, CONTEST), CONTEST):
        found.setdefault(one.rule, one.standing)
    return found


def one_log(folder: Path, declared: Mapping[str, object] | None = None, **fields: object) -> Path:
    """A folder with one run of 1.1 bits per byte."""
    own = ONE_RUN | {"val_bpb": 1.1} | dict(declared or {})
    return write_folder(folder, {"train.log": log(1.1, **fields)}, own, "val_bpb: 1.1000\n")


def test_an_honest_folder_contradicts_itself_nowhere(tmp_path: Path) -> None:
    """Three seeds of one code, their mean declared: nothing but what holds."""
    found = check_claims(read_claims(write_folder(tmp_path), CONTEST), CONTEST)

    assert {one.standing for one in found} == {Standing.PASS}
    assert {"BYTES-1", "BUDGET-1", "BUDGET-3", "BUDGET-4", "STATS-3", "PASS-4"} <= {
        one.rule for one in found
    }
    assert weighed(found) == []


CASES: dict[str, tuple[dict[str, object], dict[str, object], str, Standing | None]] = {
    "bytes counted twice": ({"counted_bytes": TWICE}, {}, "BYTES-1", Standing.FAIL),
    "... where limits are waived": (
        {"counted_bytes": TWICE},
        {"track": "non-record"},
        "BYTES-1",
        Standing.WARN,
    ),
    "... in one line alone: units are unclear": (
        {"early_loss": 1.89, "counted_bytes": TWICE},
        {},
        "BYTES-1",
        Standing.UNKNOWN,
    ),
    "a dropped tail": ({"counted_bytes": 150_700_000}, {}, "BYTES-1", Standing.PASS),
    "a fifth of the documents": (
        {"counted_bytes": 29_950_000, "documents": "ttt: total_docs:10000"},
        {},
        "PASS-3",
        Standing.FAIL,
    ),
    "few bytes, and no count": ({"counted_bytes": 29_950_000}, {}, "PASS-3", Standing.UNKNOWN),
    "the data of 17 March": (
        {"tokens": 63_779_840, "counted_bytes": 151_472_000},
        {},
        "BYTES-1",
        Standing.PASS,
    ),
    "beyond the cap in every reading": (
        OVER,
        {"bytes_total": 31_019_889},
        "BUDGET-1",
        Standing.FAIL,
    ),
    "beyond it by the log alone": (OVER, {}, "BUDGET-1", Standing.WARN),
    "the wrapper is counted, the raw file shipped": (
        {"weights": 15_950_000, "total": 15_980_000},
        {},
        "BUDGET-2",
        Standing.NOTE,
    ),
    "training stops behind a synchronisation": (
        {"train_ms": 600_900},
        {},
        "BUDGET-3",
        Standing.PASS,
    ),
    "training a little long": ({"train_ms": 604_000}, {}, "BUDGET-3", Standing.WARN),
    "training too long": ({"train_ms": 650_000}, {}, "BUDGET-3", Standing.FAIL),
    "... on another machine": ({"train_ms": 650_000, "ranks": 2}, {}, "BUDGET-3", None),
    "... on a track without limits": (
        {"train_ms": 650_000},
        {"track": "non_record_16mb"},
        "BUDGET-3",
        None,
    ),
    "scoring too long": ({"eval_ms": 688_000}, {}, "BUDGET-4", Standing.FAIL),
    "calibration behind the limit": (
        {"calibration": "GPTQ:collected 67 Hessians in 46.0s"},
        {},
        "DATA-3",
        Standing.WARN,
    ),
    "... without a time": (
        {"calibration": "gptq:calibrating with 256 batches..."},
        {},
        "DATA-3",
        Standing.WARN,
    ),
    "... within a reserve": (
        {"calibration": "gptq:calibrating with 256 batches...", "train_ms": 586_000},
        {},
        "DATA-3",
        None,
    ),
    "a loss per byte": ({"counted_bytes": 62_021_632}, {}, "PASS-3", Standing.UNKNOWN),
    "... of what the model wrote": (
        {"calibration": "gptq: autoregressive data\nGPTQ:collected 67 Hessians in 46.0s"},
        {},
        "DATA-3",
        None,
    ),
    "shards that hold validation documents": (
        {"tokens": 47_851_520, "shards": 1499, "counted_bytes": 195_800_000},
        {},
        "DATA-4",
        Standing.WARN,
    ),
    "an earlier line declared": (
        {"early": 1.05},
        {"val_bpb": 1.05},
        "PASS-4",
        Standing.WARN,
    ),
    "a number that no log prints": ({}, {"val_bpb": 0.9}, "PACKAGE-4", Standing.WARN),
    "a worse one": ({}, {"val_bpb": 1.2}, "PACKAGE-4", Standing.NOTE),
}


@pytest.mark.parametrize("case", CASES)
def test_each_claim_is_held_against_what_the_contest_declares(case: str, tmp_path: Path) -> None:
    """What contradicts fails or warns; its honest neighbour does not."""
    fields, declared, rule, expected = CASES[case]

    assert standings(one_log(tmp_path, declared, **fields)).get(rule) is expected


def test_seeds_are_of_one_script_and_a_rerun_answers_for_its_seed(tmp_path: Path) -> None:
    """Other settings or another code are a warning; a run that is not claimed is no seed of it."""
    logs = {f"{seed}.log": log(bits, seed) for seed, bits in BITS.items()}
    other = logs | {"42.log": log(BITS[42], 42, clip=1.0, code=70_000)}
    rerun = logs | {"again.log": log(BITS[42] + 3e-4, 42, clip=1.0)}

    assert standings(write_folder(tmp_path / "a", other))["STATS-3"] is Standing.WARN
    assert standings(write_folder(tmp_path / "b", rerun))["STATS-3"] is Standing.PASS


def test_a_title_that_is_better_than_everything_else_is_a_warning(tmp_path: Path) -> None:
    """README against submission.json and logs; a worse title is nothing."""
    lying = write_folder(tmp_path / "a", readme="# Best\nval_bpb: 0.95\n")
    humble = write_folder(tmp_path / "b", readme="# Good\nval_bpb: 1.20\n")

    assert standings(lying)["PACKAGE-4"] is Standing.WARN
    assert "PACKAGE-4" not in standings(humble)


def test_a_verdict_hears_contradictions_and_no_missing_paper(tmp_path: Path) -> None:
    """A folder without logs, or with a broken manifest, is no dishonest number."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "submission.json").write_text("{", encoding="utf-8")
    missing = check_claims(read_claims(tmp_path / "empty", CONTEST), CONTEST)
    beyond = one_log(tmp_path / "beyond", {"bytes_total": 31_019_889}, **OVER)
    found = weighed(check_claims(read_claims(beyond, CONTEST), CONTEST))

    assert {one.rule for one in missing} >= {"PACKAGE-1", "PACKAGE-2"}
    assert weighed(missing) == []
    assert [(one.rule, one.status) for one in found] == [("BUDGET-1", Status.FAIL)]
    assert "31,019,889" in found[0].message
    assert found[0].steps[0].place == "train.log:18"
