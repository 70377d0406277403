"""Shared parts of the harness's tests: real data, a real tokenizer, a real (nano) artifact."""

import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from filelock import FileLock
from hypothesis import settings
from lent_servers import LendingPool

from harness import evaluation
from harness.checks.refereed.causality import check_causality
from harness.checks.refereed.coverage import check_coverage
from harness.checks.refereed.mass import check_mass
from harness.checks.refereed.order import check_referee_order
from harness.checks.status import Finding
from harness.commands.evaluate import main
from harness.observer import Observer
from harness.referee.ledger import Ledger
from harness.referee.predictor_run import run_predictor
from harness.referee.run import Run
from harness.referee.setup import Setup, geometry
from harness.sandbox.fork_server import ForkServer
from harness.streams.probes import probe_cuts
from harness.streams.stream import Stream, validation_stream
from harness.streams.vocabulary import Vocabulary
from harness.submission import read_submission
from reference_model.data.corpus import embedded_data
from reference_model.data.folder import DataFolder
from reference_model.data.shards import write_shard

VALIDATION_TOKENS = 16_384
TRAIN_TOKENS = 200_000
NANO_STEPS = 150

# A cut that gives a short stream several chunks, and a chunk several windows.
SETTINGS = {"seq_len": 32, "stride": 16, "chunk_tokens": 192}

settings.register_profile("shared cores", deadline=None)  # a busy machine is not a failing law
settings.load_profile("shared cores")


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    """Tensors here are tiny: a second thread costs time, in this process and in the workers."""
    before, variable = torch.get_num_threads(), os.environ.get("OMP_NUM_THREADS")
    torch.set_num_threads(1)
    os.environ["OMP_NUM_THREADS"] = "1"
    yield
    torch.set_num_threads(before)
    del os.environ["OMP_NUM_THREADS"]
    if variable is not None:
        os.environ["OMP_NUM_THREADS"] = variable


@pytest.fixture(scope="session")
def of_this_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for what all processes of one test run share."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


def _built_once(folder: Path, build: Callable[[Path], None]) -> Path:
    """By whichever process needs it first."""
    with FileLock(f"{folder}.lock"):
        if not folder.exists():
            building = Path(f"{folder}.building")
            building.mkdir()
            build(building)
            building.rename(folder)
    return folder


@pytest.fixture(scope="session")
def data_folder(of_this_run: Path) -> DataFolder:
    """The embedded corpus cut short: a tokenizer of 1,024 entries, 16,384 validation tokens."""
    return DataFolder.open(_built_once(of_this_run / "data", _cut_short))


def _cut_short(short: Path) -> None:
    full = embedded_data()
    (short / "tokenizer.model").write_bytes(full.tokenizer.read_bytes())
    for split, tokens, n in (
        ("train", full.train_tokens(), TRAIN_TOKENS),
        ("val", full.validation_tokens(), VALIDATION_TOKENS),
    ):
        write_shard(short / f"fineweb_{split}_000000.bin", np.asarray(tokens[:n]))


@pytest.fixture(scope="session")
def artifact(data_folder: DataFolder, of_this_run: Path) -> Path:
    """A nano model, trained for some seconds on the training shard."""

    def train(out: Path) -> None:
        command = [sys.executable, "-m", "reference_model.train", "--preset", "nano"]
        command += ["--data", str(data_folder.root), "--out", str(out), "--steps", str(NANO_STEPS)]
        environment = os.environ | {"OMP_NUM_THREADS": "1"}  # two on a busy machine take minutes
        subprocess.run(command, check=True, capture_output=True, env=environment)

    return _built_once(of_this_run / "artifact", train) / "artifact.bin"


@pytest.fixture(autouse=True, scope="session")
def _lent_servers() -> Iterator[None]:
    """Evaluations in this process take over the fork servers of earlier ones."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evaluation, "Pool", LendingPool)
        yield
    LendingPool.end_all()


@pytest.fixture(scope="session")
def server() -> Iterator[ForkServer]:
    """One for all tests: a run knows nothing of the one before it."""
    with ForkServer() as one:
        yield one


@pytest.fixture(scope="session")
def vocabulary(data_folder: DataFolder) -> Vocabulary:
    return Vocabulary.of_tokenizer(data_folder.tokenizer)


@dataclass(frozen=True)
class Evaluated:
    """What a run of the command left."""

    code: int
    out: Path
    report: dict[str, Any]
    screen: str  # stdout and stderr

    def status(self, rule: str) -> str | None:
        found = self.report["rules"].get(rule)
        return found and found["status"]


@pytest.fixture
def native(tmp_path: Path, artifact: Path) -> Callable[..., Path]:
    """Writes a native submission: `native("predictor", code)`, `native("program", code)`."""

    def write(kind: str, code: str, name: str = "toy", **settings: object) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        (folder / "toy.py").write_text(textwrap.dedent(code))
        (folder / "weights.bin").write_bytes(artifact.read_bytes())
        target = "toy.py:build" if kind == "predictor" else "toy.py"
        manifest = {"protocol": 1, "artifact": "weights.bin", kind: target}
        manifest["settings"] = SETTINGS | settings
        (folder / "submission.json").write_text(json.dumps({"name": name, "harness": manifest}))
        return folder

    return write


@pytest.fixture
def evaluate(
    data_folder: DataFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Evaluated]:
    """Runs the command on a folder: `evaluate(folder, "--seed", "7")`; without a seed, 1337."""

    def run(folder: Path, *options: str, data: Path = data_folder.root) -> Evaluated:
        out = tmp_path / "report"
        native = (folder / "submission.json").exists()  # a record reads no data of ours
        given = ["--data", str(data)] if native else []
        code = main([str(folder), *given, "--out", str(out), "--seed", "1337", *options])
        path = out / "report.json"
        report = json.loads(path.read_text()) if path.exists() else {}
        return Evaluated(code, out, report, "".join(capsys.readouterr()))

    return run


@pytest.fixture
def run_native(
    data_folder: DataFolder, vocabulary: Vocabulary, tmp_path: Path
) -> Callable[..., Run]:
    """One run of a predictor's folder over the first tokens of the validation split, real worker.

    The evidence goes into `into` as it comes, so a run that raises leaves it there.
    """

    def run(
        folder: Path, n_tokens: int = 640, time_limit_s: float = 60.0, into: list[Run] | None = None
    ) -> Run:
        submission = read_submission(folder)
        stream = validation_stream(data_folder, vocabulary, n_tokens)
        out = tmp_path / "run"
        evidence = Run(stream, vocabulary, Ledger(out / "main", len(stream.tokens)))
        if into is not None:
            into.append(evidence)
        setup = Setup(
            submission,
            folder / submission.artifact,
            data_folder.tokenizer,
            device="cpu",
            seed=1337,
            time_limit_s=time_limit_s,
            out=out,
            observer=Observer(),
        )
        with evidence.ledger:
            cut = geometry(submission.settings, len(stream.tokens))
            cuts = probe_cuts(stream, vocabulary, cut, 1337)
            run_predictor(setup, submission.settings, evidence, "main", cuts)
        return evidence

    return run


@pytest.fixture(scope="session")
def short_stream(data_folder: DataFolder, vocabulary: Vocabulary) -> Stream:
    """640 tokens of the validation split."""
    return validation_stream(data_folder, vocabulary, 640)


@pytest.fixture
def by_rule() -> Callable[[list[Finding]], dict[str, Finding]]:
    return lambda statuses: {status.rule: status for status in statuses}


@pytest.fixture
def judged(by_rule) -> Callable[[Run], dict[str, Finding]]:
    def judge(run: Run) -> dict[str, Finding]:
        found = [check_mass(run), check_causality(run), *check_referee_order(run)]
        return by_rule(found + check_coverage(run))

    return judge
