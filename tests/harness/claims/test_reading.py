"""Whatever lies in a folder, its papers end in a record; and numbers keep their lines."""

import json
import os
from pathlib import Path

import pytest
import sentencepiece as spm
from paper_folders import BITS, log, write_folder

from audits.contests import load_contest
from harness.claims import logs
from harness.claims.checks import check_claims
from harness.claims.finding import Standing
from harness.claims.reading import claims_of, read_claims
from reference_model.data.tokenizer import train_tokenizer

CONTEST = load_contest("parameter_golf")
FINISHED = "\u0433\u043e\u0442\u043e\u0432\u043e\n"
TEXTS = [f"The Quick caf\u00e9 number {n} says: 3.14 and more (really)." for n in range(300)]


def test_every_number_has_its_file_and_line(tmp_path: Path) -> None:
    """As an editor counts lines."""
    claims = read_claims(write_folder(tmp_path), CONTEST)
    (run,) = [one for one in claims.logs if one.seed == 42]
    lines = (tmp_path / run.file).read_text(encoding="utf-8").split("\n")
    declared = (tmp_path / "submission.json").read_text(encoding="utf-8").split("\n")

    assert run.headline is not None
    assert f"{BITS[42]:.8f}" in lines[run.headline.place.line - 1]
    for name, word in (("total_bytes", "15860000"), ("train_s", "599900ms"), ("ranks", "8")):
        number = run.last(name)
        assert number is not None
        assert word in lines[number.place.line - 1]
    for claim in claims.declared.seeds:
        assert str(claim.bits_per_byte) in declared[claim.place.line - 1]
    assert [one.value for one in claims.readme if one.name == "val_bpb"] == [1.1147]
    assert {one.diagnostic for one in run.evaluations} == {True, False}


def test_a_log_of_200_megabytes_is_read_at_both_ends(tmp_path: Path) -> None:
    """The dump at its beginning, the final lines at its end, and how much lies between."""
    begin, _, end = log(1.1).partition("val_loader")
    path = write_folder(tmp_path, {}, {"seed_results": {}, "val_bpb": 1.1}) / "train.log"
    path.write_text(begin, encoding="utf-8")
    os.truncate(path, 200 << 20)  # nothing but zeros: one line without an end
    with path.open("a", encoding="utf-8") as file:
        file.write("\nval_loader" + end)
    (run,) = claims_of(tmp_path, CONTEST).logs

    assert run.seed == 1337
    assert run.headline is not None
    assert run.headline.bits_per_byte == pytest.approx(1.1)
    assert run.headline.place.line == log(1.1).count("\n") + 1
    assert "were not read" in run.unread


def _as_windows_writes(path: Path) -> None:
    path.write_bytes((FINISHED + log(1.1)).replace("\n", "\r\n").encode("utf-16"))


def _latin(path: Path) -> None:
    path.write_bytes("entra\u00eenement termin\u00e9\n".encode("latin-1") + log(1.1).encode())


@pytest.mark.parametrize("write", [_as_windows_writes, _latin])
def test_a_log_in_another_language_and_encoding_says_the_same(write, tmp_path: Path) -> None:
    """Names of numbers are the contest's, whatever stands around them."""
    folder = write_folder(tmp_path, {}, {"seed_results": {}, "val_bpb": 1.1})
    write(folder / "train.log")
    claims = read_claims(folder, CONTEST)

    assert claims.logs[0].headline is not None
    assert claims.logs[0].headline.bits_per_byte == pytest.approx(1.1)
    assert claims.logs[0].value("tokens") == 62_021_632


@pytest.mark.parametrize(
    "content",
    ["", "{", "[1, 2]", "null", '{"val_bpb": NaN}', '{"val_bpb": 1e999}', "[" * 100_000, "\0" * 50],
)
def test_a_broken_manifest_is_a_record_and_says_so(content: str, tmp_path: Path) -> None:
    """Logs count as they are; nothing is claimed for sure."""
    folder = write_folder(tmp_path)
    (folder / "submission.json").write_text(content, encoding="utf-8")
    claims = read_claims(folder, CONTEST)
    found = check_claims(claims, CONTEST)

    assert len(claims.logs) == len(BITS)
    assert claims.declared.bits_per_byte is None
    assert Standing.FAIL not in {one.standing for one in found}


def test_a_folder_without_papers_claims_nothing(tmp_path: Path) -> None:
    """And what is missing is named."""
    (tmp_path / "train_gpt.py").write_text("pass\n", encoding="utf-8")
    found = check_claims(claims_of(tmp_path, CONTEST), CONTEST)

    assert [(one.rule, one.standing) for one in found] == [("PACKAGE-1", Standing.WARN)]
    assert "README.md" in found[0].message


def test_more_logs_than_are_read_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is left out in silence."""
    monkeypatch.setattr(logs, "MOST_LOGS", 2)

    assert len(read_claims(write_folder(tmp_path), CONTEST).notes) == 1


def test_a_tokenizer_that_loses_text_is_a_warning_and_one_of_the_contest_is_not(
    tmp_path: Path,
) -> None:
    """Case folding loses the text; compatibility forms are the contest's own."""
    for name, rule in (("fold", "nmt_nfkc_cf"), ("own", "nmt_nfkc")):
        folder = write_folder(tmp_path / name)
        with (folder / "own.model").open("wb") as file:
            spm.SentencePieceTrainer.train(
                sentence_iterator=iter(TEXTS),
                model_writer=file,
                vocab_size=320,
                model_type="bpe",
                byte_fallback=True,
                normalization_rule_name=rule,
                add_dummy_prefix=False,
                hard_vocab_limit=False,
                minloglevel=2,
            )
        found = {f.rule: f for f in check_claims(read_claims(folder, CONTEST), CONTEST)}
        assert found["BYTES-3"].standing is (Standing.WARN if name == "fold" else Standing.PASS)
    (folder / "own.model").write_bytes(train_tokenizer(TEXTS, 320))
    (folder / "no.model").write_bytes(b"weights")
    first, second = read_claims(folder, CONTEST).tokenizers

    assert first.unread
    assert (second.byte_pieces, second.lost) == (256, ())


def test_a_manifest_may_name_its_runs_in_any_usual_way(tmp_path: Path) -> None:
    """Tables by seed, lists with a seed each; an outer table goes before an inner one."""
    ways: list[object] = [
        {"seeds": {"42": {"val_bpb": 1.1}}},
        {"seed_results": {"seed_42": {"val_bpb": 1.1, "val_loss": 2.0}}},
        {"runs": [{"seed": 42, "val_bpb": 1.1}], "rerun": {"runs": [{"seed": 7, "val_bpb": 1.2}]}},
    ]
    for way in ways:
        (tmp_path / "submission.json").write_text(json.dumps(way), encoding="utf-8")
        seeds = read_claims(tmp_path, CONTEST).declared.seeds

        assert [(one.seed, one.bits_per_byte) for one in seeds] == [(42, 1.1)]
