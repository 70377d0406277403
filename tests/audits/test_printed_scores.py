"""Numbers read off logs: what is a score, what is not, and which one is the claim."""

import math
import re

import pytest

from audits.facts.documented.logs import from_texts
from audits.facts.documented.printed_scores import (
    CountedLine,
    DeclaredScore,
    claims,
    declared_score,
    headline,
    is_of_training,
    printed_numbers,
    with_loss_above,
)

USUAL = """\
step:0/3 val_loss:6.9357 val_bpb:4.1077 train_time:0ms step_avg:0.01ms
step:3/3 val_loss:6.9301 val_bpb:4.1044 train_time:900ms step_avg:300.00ms
DIAGNOSTIC post_ema val_loss:6.9311 val_bpb:4.1050 eval_time:10ms
final_int6_roundtrip val_loss:6.9320 val_bpb:4.1055 eval_time:10ms
final_int6_roundtrip_exact val_loss:6.93200001 val_bpb:4.10550001
  ttt_chunk [1/16] bpb=4.200000 time=0.1s
ttt_sliding:done val_loss=6.931234 val_bpb=4.101234 elapsed=1.0s
legal_ttt val_loss:6.9312 val_bpb:4.1012 eval_time:1000ms
legal_ttt_exact val_loss:6.93123412 val_bpb:4.10123434
"""


def test_the_headline_is_the_last_score_that_is_no_diagnostic() -> None:
    """Steps, progress and diagnostics before or after it claim nothing."""
    late = "DIAGNOSTIC post_ttt val_loss:1.0000 val_bpb:0.5000 eval_time:1ms\n"
    found = headline(printed_numbers(USUAL + late))
    assert found is not None
    assert found.tag == "legal_ttt_exact"
    assert found.nats_per_token == 6.93123412
    assert found.bits_per_byte == 4.10123434
    assert found.line == 9


def test_all_final_scores_stay_candidates() -> None:
    """A cross-check needs the plain pass beside the adapted one."""
    tags = [number.tag for number in claims(printed_numbers(USUAL))]
    assert tags == [
        "final_int6_roundtrip",
        "final_int6_roundtrip_exact",
        "ttt_sliding:done",
        "legal_ttt",
        "legal_ttt_exact",
    ]


@pytest.mark.parametrize(
    ("line", "half_unit"),
    [
        ("final val_loss:6.9312 val_bpb:4.1012", 5e-5),
        ("final_exact val_loss:6.93123412 val_bpb:4.1", 5e-9),
        ("final val_loss:1.5e-3 val_bpb:0.1", 5e-5),
        ("Submission:   val_bpb = 1.09517862", 5e-9),
    ],
)
def test_a_number_is_known_to_half_a_unit_of_its_last_place(line: str, half_unit: float) -> None:
    """Of the loss where there is one, else of the bits per byte."""
    (found,) = printed_numbers(line)
    assert math.isclose(found.half_unit, half_unit)


def test_the_more_precise_print_of_one_number_speaks() -> None:
    """Four places after eight say nothing new."""
    log = "ttt:done val_loss=6.931234 val_bpb=4.101234\nfinal val_loss:6.9312 val_bpb:4.1012\n"
    found = headline(printed_numbers(log))
    assert found is not None and found.tag == "ttt:done"


@pytest.mark.parametrize(
    "label",
    [
        "pre-quantization post-ema",
        "diagnostic pre-quantization post-ema",
        "diagnostic quantized",
        "DIAGNOSTIC post_swa",
        "target",
        "pre_quant_ema_exact",
        "post-prequant-ttt",
        "multi_ema_candidate decay:0.5000",
        "  sliding_eval [ 12.5%] 4/32 windows",
        "1000/3 ",
        "[rank0] step 5",
    ],
)
def test_labels_of_diagnostics(label: str) -> None:
    """What the contest's scripts print beside their score."""
    (found,) = printed_numbers(f"{label} val_loss:3.1234 val_bpb:1.2345 eval_time:10ms")
    assert found.diagnostic


@pytest.mark.parametrize(
    "label",
    [
        "quantized",
        "quantized_ttt_phased",
        "quantized_sliding_window",
        "final_int8_zlib_roundtrip_exact",
        "final_prequant_ttt_int6_exact",
        "ngram_two_pass_exact",
        "synced_target_cache_exact",
        "legal_ttt_exact",
        "Final BPB: final_int6_sliding_window_exact",
    ],
)
def test_labels_of_scores(label: str) -> None:
    """What the contest's scripts claim."""
    (found,) = printed_numbers(f"{label} val_loss:3.12345678 val_bpb:1.23456789 eval_time:10ms")
    assert not found.diagnostic


def test_an_echo_of_the_source_prints_no_number() -> None:
    """623 of 3,000 logs contain the script; only what follows the separator is output."""
    echo = (
        "import torch\n"
        "# best so far: val_loss:1.9 val_bpb:1.1194\n"
        'NOTE = "val_bpb: 1.0 val_loss: 1.0"\n'
        'log0(f"final_exact val_loss:{loss:.8f} val_bpb:{bpb:.8f}")\n' + "=" * 100 + "\n"
    )
    found = printed_numbers(echo + "final_exact val_loss:2.00000000 val_bpb:1.20000000\n")
    assert [number.tag for number in found] == ["final_exact"]


def test_a_log_of_steps_alone_claims_its_last_step() -> None:
    """37 of 3,000 logs have nothing else."""
    found = headline(printed_numbers("\n".join(USUAL.split("\n")[:2])))
    assert found is not None
    assert found.nats_per_token == 6.9301 and not found.diagnostic


def test_the_declared_figure_tells_what_it_is_called() -> None:
    """submission.json names a number of the folder's logs, or the mean of several, or none; figures
    are no name.
    """
    assert "final_int#_roundtrip_exact" in declared_score([USUAL], [4.1055]).declared
    assert "legal_ttt_exact" not in declared_score([USUAL], [4.1055]).declared
    assert "legal_ttt_exact" in declared_score([USUAL], []).logged
    assert not declared_score([USUAL], [1.1194]).declared
    other = USUAL.replace("4.10123434", "4.20123434")
    assert declared_score([USUAL, other], [4.151234]).declared == {"legal_ttt_exact"}


@pytest.mark.parametrize(
    ("printed", "declared", "same"),
    [
        ("1.12143000", 1.1214, True),  # rounded to four decimals
        ("1.12143000", 1.121, True),  # to three
        ("1.12143000", 1.1219, False),  # another number, of four decimals
        ("1.12143000", 1.12, False),  # two decimals name no score
        ("1.1214", 1.12143218, True),  # declared more precisely than it is printed
    ],
)
def test_scans_and_runs_agree_on_the_declared_figure(
    printed: str, declared: float, same: bool
) -> None:
    """Whether a printed number is the declared one has one answer, with one tolerance."""
    log = (
        f"first_exact val_loss:3.0 val_bpb:1.30000000\nfinal_exact val_loss:2.0 val_bpb:{printed}\n"
    )
    assert ("final_exact" in declared_score([log], [declared]).declared) is same
    scanned = from_texts({"train.log": log}, {"val_bpb": declared}).last_is_headline
    assert scanned is (True if same else None)


def test_the_nearest_decimals_go_first() -> None:
    """A declared 1.121 may be 1.1210: where a number comes to that, 1.1214 is another one."""
    log = "first val_loss:3.0 val_bpb:1.1210\nfinal val_loss:2.0 val_bpb:1.1214\n"
    assert declared_score([log], [1.121]).declared == {"first"}
    assert from_texts({"train.log": log}, {"val_bpb": 1.121}).last_is_headline is False


SCORED_AGAIN = USUAL + "final_T0.98_exact val_loss:6.92000000 val_bpb:4.09000000\n"


@pytest.mark.parametrize(
    ("log", "declared", "tag"),
    [
        (SCORED_AGAIN, 4.1012, "legal_ttt_exact"),  # printed last, and not claimed
        (SCORED_AGAIN, 4.09, "final_T0.98_exact"),
        (SCORED_AGAIN, 1.5, "final_T0.98_exact"),  # no number of the logs: the usual one
        (USUAL, 4.1012, "final_T0.98_exact"),  # logs of another script, which has no such number
        (SCORED_AGAIN.replace("legal_ttt", "DIAGNOSTIC ttt"), 4.105, "final_int6_roundtrip_exact"),
        (SCORED_AGAIN.replace("4.1050", "3.9"), 3.9, "DIAGNOSTIC post_ema"),
    ],
)
def test_the_folder_says_which_number_it_claims(log: str, declared: float, tag: str) -> None:
    """#1001 scores again what it trained on, prints that last, and claims the first score: what
    nobody claims accuses nobody.
    """
    ours = printed_numbers(SCORED_AGAIN)
    found = headline(ours, declared_score([log], [declared]))
    assert found is not None and not found.diagnostic
    assert found.tag == tag


def test_a_claimed_number_that_is_clearly_better_is_judged_where_the_logs_do_not_go_on() -> None:
    """#706 claims an n-gram mixture; behind it, by default and in no log, the script adapts."""
    logged = USUAL + "ngram5_exact val_loss:4.50000000 val_bpb:2.50000000\n"
    ours = printed_numbers(logged + "final_T0.98_exact val_loss:6.92000000 val_bpb:4.09000000\n")
    found = headline(ours, declared_score([logged], [2.5]))
    assert found is not None and found.tag == "ngram5_exact"


def test_a_loose_number_is_a_headline_only_where_nothing_else_is() -> None:
    """`XSA BPB: 1.03` counts for a log that has no val_bpb."""
    loose = "  XSA BPB:       1.034709\n"
    alone, beside = headline(printed_numbers(loose)), headline(printed_numbers(USUAL + loose))
    assert alone is not None and alone.bits_per_byte == 1.034709
    assert beside is not None and beside.tag == "legal_ttt_exact"


def test_training_losses_and_differences_are_no_scores() -> None:
    """A training loss has no bits per byte; a gain is not a level."""
    log = "1/3 train_loss: 9.0123 train_time: 0.0m\nttt_gain: 0.01 BPB gain over int8 (bpb:4.1)\n"
    assert headline(printed_numbers(log)) is None


def test_a_training_loss_beside_a_validation_score_is_not_its_loss() -> None:
    """Its bits per byte are those of the validation alone."""
    (found,) = printed_numbers("train_loss:6.9000 val_bpb:4.1000\n")
    assert (found.nats_per_token, found.bits_per_byte) == (None, 4.1)
    assert printed_numbers("tr_loss=6.9 train_bpb=4.1\n") == []


@pytest.mark.parametrize(
    ("log", "of_training"),
    [
        ("loss 6.90 bpb 4.1000\nloss 6.80 bpb 4.0000\n", True),  # again and again
        ("train_loss:6.9000 bpb:4.1000\n", True),
        ("XSA BPB: 1.034709\n", False),
        ("val_loss:6.90 val_bpb:4.1\nval_loss:6.80 val_bpb:4.0\n", False),  # each an evaluation
    ],
)
def test_which_numbers_may_be_of_the_training_alone(log: str, of_training: bool) -> None:
    """Behind them no evaluation may ever have come: of a run that broke off they are no score."""
    numbers = printed_numbers(log)
    found = headline(numbers)
    assert found is not None
    assert is_of_training(found, numbers) is of_training


def test_a_loss_that_is_no_number_is_still_the_headline() -> None:
    """A run that ended in nan has no earlier score to fall back on."""
    found = headline(printed_numbers(USUAL + "final_exact val_loss:nan val_bpb:nan\n"))
    assert found is not None and found.nats_per_token is not None
    assert math.isnan(found.nats_per_token)


TABLES = {
    "bars": "| split | val_loss | val_bpb |\n|---|---|---|\n| val | 6.4857 | 3.4848 |",
    "commas": "split,val_loss,val_bpb\nval,6.4857,3.4848",
    "spaces": "shard  val_loss  val_bpb\n0      6.4857    3.4848",
    "units": "validation: 6.4857 nats per token, 3.4848 bits per byte",
    "units in front": "validation nats/token: 6.4857 bits/byte: 3.4848",
}


@pytest.mark.parametrize("log", TABLES.values(), ids=list(TABLES))
def test_columns_and_units_name_their_numbers(log: str) -> None:
    """As a name before them would; the text stays what was printed."""
    found = headline(printed_numbers(log))
    assert found is not None
    assert (found.nats_per_token, found.bits_per_byte) == (6.4857, 3.4848)
    assert found.text == log.splitlines()[-1]


def test_a_table_of_the_training_and_prose_below_columns_claim_nothing() -> None:
    """Steps are diagnostics, a row of the training is no score, three words are no row."""
    steps = "step train_loss val_loss\n100 3.2 3.3\n200 3.1 3.2\n"
    assert all(number.diagnostic for number in printed_numbers(steps))
    assert not printed_numbers("| split | val_loss |\n| train | 3.2000 |\n")
    assert not printed_numbers("evaluates val_loss slowly\ntook 3.2000 seconds\n")


@pytest.mark.parametrize(
    ("log", "loss"),
    [
        ("val_loss 6.92419\nval_bpb 2.70222\n", 6.92419),
        ("final val_loss: 6.92\nfinal val_bpb: 2.70222\n", 6.92),
        ("raw val_loss 6.92\nval_bpb 2.70222\n", None),
        ("val_loss 6.92\nsaved\nval_bpb 2.70222\n", None),
    ],
)
def test_a_loss_and_its_bits_may_stand_on_two_lines(log: str, loss: float | None) -> None:
    """One right above the other, and of one name."""
    numbers = printed_numbers(log)
    pair = with_loss_above(numbers[-1], numbers)
    assert (None if pair is None else pair.nats_per_token) == loss


@pytest.mark.parametrize(("which", "bits"), [("first", 1.4), ("last", 1.2), ("least", 1.1)])
def test_the_line_that_a_contest_counts_goes_before_all_else(which: str, bits: float) -> None:
    """Whatever is printed behind it, and though it is a step's; where it is missing, as ever."""
    lines = [f"Step {n} | Validation bpb: {b}" for n, b in enumerate((1.4, 1.1, 1.2))]
    numbers = printed_numbers("\n".join([*lines, "final val_bpb: 0.9"]))
    claim = DeclaredScore(line=CountedLine(re.compile(r"Validation bpb: (\S+)"), which))
    counted = headline(numbers, claim)
    other = headline(numbers, DeclaredScore(line=CountedLine(re.compile("none (.)"), which)))

    assert counted is not None and counted.bits_per_byte == bits and not counted.diagnostic
    assert other is not None and other.bits_per_byte == 0.9
