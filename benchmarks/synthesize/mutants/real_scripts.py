"""Folders of a clone of the contest's repository: mutants of their scripts, and harmless twins.

The scripts that are named must be legal: a twin's answer is legal because theirs is. Mutants take
turns over operators, then over scripts; one twin stands beside every mutant, a harmless rewrite of
the same script. Whatever a script imports from its folder comes along unchanged.

Guarantees: one place of one file differs, or all places of one kind; every written script parses.
Does not cover: scripts that are packed, or whose grammar libcst does not read: they have no site,
and that is said.
"""

from __future__ import annotations

import random
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import libcst as cst

from benchmarks.labelled import extract
from benchmarks.synthesize.mutants import (
    choices,
    counting,
    data,
    look_alikes,
    masks,
    ordering,
    provenance,
    ranks,
    scoring,
)
from benchmarks.synthesize.mutants.harmless import HARMLESS
from benchmarks.synthesize.mutants.operator import Mutation, applied, n_sites

_AHEAD = ("CAUSAL-1", "CAUSAL-2", "CAUSAL-8")
_CHOSEN = ("CAUSAL-5", "PASS-2", "DATA-9", "ORDER-2", "PASS-1")
_WEIGHT = ("NORM-1", "NORM-3", "NORM-4", "NORM-6", "CAUSAL-1", "CAUSAL-2", "CAUSAL-3")
_TRAINED = ("ORDER-2", "DATA-1")
MUTATIONS = (
    Mutation("mask dropped", masks.DropMask, ("CAUSAL-8", "CAUSAL-1")),
    Mutation("pair hash off by one", masks.BigramOffByOne, ("CAUSAL-1", "CAUSAL-2", "CAUSAL-8")),
    Mutation("glob widened", data.WidenGlob, ("ORDER-2", "DATA-1")),
    Mutation("trained on validation", data.TrainOnValidation, ("ORDER-2", "DATA-1")),
    Mutation("outliers dropped", counting.DropOutliers, ("PASS-3", "BYTES-5")),
    Mutation("loss shrunk", counting.ShrinkLoss, ("NORM-1", "NORM-6", "PASS-4")),
    Mutation("half skipped", counting.SkipHalf, ("PASS-3", "BYTES-5")),
    Mutation("space counted twice", counting.SpaceTwice, ("BYTES-1", "BYTES-2", "BYTES-3")),
    Mutation("update before score", ordering.UpdateBeforeScore, ("ORDER-1", "CAUSAL-3")),
    Mutation(
        "insertion before look-up",
        ordering.InsertBeforeLookUp,
        ("NORM-1", "ORDER-1", "CAUSAL-1", "CAUSAL-2", "CAUSAL-5"),
    ),
    Mutation("shift from the next place", masks.SmearNext, _AHEAD),
    Mutation("padded behind", masks.PadBehind, _AHEAD),
    Mutation("normalised over time", masks.NormaliseOverTime, _AHEAD),
    Mutation("target among inputs", masks.TargetAmongInputs, _AHEAD),
    Mutation("space added twice", counting.SpaceAddedTwice, ("BYTES-1", "BYTES-2", "BYTES-3")),
    Mutation(
        "bytes of whole windows",
        counting.WholeWindowBytes,
        ("BYTES-1", "BYTES-3", "BYTES-5", "PASS-3"),
    ),
    Mutation("windows skipped", counting.SkipWindows, ("PASS-3", "BYTES-5", "BYTES-1", "BYTES-3")),
    Mutation(
        "trained on the next chunk",
        ordering.TrainOnNextChunk,
        ("ORDER-1", "CAUSAL-3", "CAUSAL-1", "CAUSAL-5"),
    ),
    Mutation("second pass", choices.SecondPass, ("PASS-1", "ORDER-1", "ORDER-2", "CAUSAL-3")),
    Mutation("scale fitted on validation", choices.ChooseScale, _CHOSEN),
    Mutation("clip fitted on validation", choices.ChooseClip, _CHOSEN),
    Mutation("temperature of the batch", scoring.FitTemperature, (*_CHOSEN, *_WEIGHT)),
    Mutation("logits cut for the batch", scoring.FitClip, (*_CHOSEN, *_WEIGHT)),
    Mutation("mixed after the loss", scoring.HedgeAfterLoss, _WEIGHT),
    Mutation("better of two", scoring.BetterOfTwo, ("PASS-2", *_WEIGHT)),
    Mutation("hinted target", scoring.HintTarget, _WEIGHT),
    Mutation("told by another rank", ranks.TellRanks, ("CAUSAL-7", "CAUSAL-5", "CAUSAL-1")),
    Mutation("prior of validation", provenance.PriorOfValidation, _CHOSEN),
    Mutation("vocabulary of validation", provenance.VocabularyOfValidation, _CHOSEN),
    Mutation("cap chosen by a key", provenance.CapByKey, _CHOSEN),
    Mutation("cap chosen in a loop", provenance.CapByLoop, _CHOSEN),
    Mutation("cap of outputs", provenance.CapOfOutputs, _CHOSEN),
    Mutation("best checkpoint", provenance.BestCheckpoint, (*_CHOSEN, "DATA-1")),
    Mutation("stopped by validation", provenance.StoppedByValidation, _CHOSEN),
    Mutation("trained by hand", provenance.TrainedByHand, _TRAINED),
    Mutation("trained through .grad", provenance.TrainedThroughGrad, _TRAINED),
    Mutation("shard among files", provenance.ShardAmongFiles, _TRAINED),
    Mutation("shard renamed", provenance.ShardRenamed, _TRAINED),
    Mutation("power of a probability", look_alikes.PowerOfProbability, _WEIGHT),
    Mutation("floor under probabilities", look_alikes.Floor, _WEIGHT),
    Mutation("hits rewarded", look_alikes.RewardHits, (*_WEIGHT, "PASS-2")),
    Mutation("weights above one", look_alikes.HeavyMixture, _WEIGHT),
    Mutation("temperature of the token", look_alikes.TemperatureByToken, _WEIGHT),
    Mutation("scores capped", look_alikes.CapScores, (*_WEIGHT, "PASS-3")),
    Mutation("outliers replaced", look_alikes.ReplaceOutliers, (*_WEIGHT, "PASS-3", "BYTES-5")),
    Mutation("centred over tokens", look_alikes.CentreOverTokens, _AHEAD),
    Mutation("logits of the next place", look_alikes.LogitsOfTheNext, _AHEAD),
    Mutation("sums from the end", look_alikes.SumFromTheEnd, _AHEAD),
    Mutation("bytes of both tokens", look_alikes.BytesOfBoth, ("BYTES-1", "BYTES-2", "BYTES-5")),
    Mutation("more bytes", look_alikes.MoreBytes, ("BYTES-1", "BYTES-2", "BYTES-5")),
    Mutation("tail dropped", look_alikes.DropTail, ("PASS-3", "BYTES-5")),
    Mutation("weighted by frequency", look_alikes.WeightByFrequency, _CHOSEN),
    Mutation("listened to validation", look_alikes.ListenToValidation, (*_CHOSEN, "DATA-3")),
    Mutation("first file another", look_alikes.FirstFileOther, _TRAINED),
)


@dataclass(frozen=True)
class Script:
    """One script of the clone."""

    ref: str
    path: PurePosixPath
    tree: cst.Module
    sites: Mapping[str, int]  # of each mutation and rewrite that has one

    @classmethod
    def of(cls, ref: str, path: PurePosixPath, tree: cst.Module) -> Script:
        counts = {kind.name: n_sites(tree, kind.operator) for kind in (*MUTATIONS, *HARMLESS)}
        return cls(ref, path, tree, {name: n for name, n in counts.items() if n})


def write_mutants(
    repo: Path, named: Sequence[Sequence[str]], out: Path, seed: int, n_mutants: int
) -> list[dict[str, object]]:
    """Folders under `out`; returns their answers. `named`: pairs of ref and path."""
    scripts = [s for ref, path in named if (s := _read(repo, ref, PurePosixPath(path)))]
    dice, answers = random.Random(seed), list[dict[str, object]]()
    for mutation, script in _turns(scripts, dice)[:n_mutants]:
        turn = len(answers) // 2
        twins = [harmless for harmless in HARMLESS if harmless.name in script.sites]
        for kind in (mutation, *dice.sample(twins, min(1, len(twins)))):
            name = f"m{turn:04d}{'ab'[kind is mutation]}"
            _write(repo, script, kind, out / name, dice)
            answers.append(_answer(name, kind, script))
    return answers


def _turns(scripts: Sequence[Script], dice: random.Random) -> list[tuple[Mutation, Script]]:
    """Every pair that has a site: the operators by turns, each over its scripts in drawn order."""
    able = {
        mutation.name: [(mutation, s) for s in scripts if mutation.name in s.sites]
        for mutation in MUTATIONS
    }
    for found in able.values():
        dice.shuffle(found)
    longest = max((len(found) for found in able.values()), default=0)
    return [found[i] for i in range(longest) for found in able.values() if i < len(found)]


def _read(repo: Path, ref: str, path: PurePosixPath) -> Script | None:
    with tempfile.TemporaryDirectory() as folder:
        extract(repo, ref, str(path.parent), Path(folder))
        try:
            tree = cst.parse_module((Path(folder) / path.name).read_bytes())
        except (OSError, cst.ParserSyntaxError) as error:
            print(f"{ref}:{path}: left out: {type(error).__name__}", file=sys.stderr)
            return None
    script = Script.of(ref, path, tree)
    if not any(mutation.name in script.sites for mutation in MUTATIONS):
        print(f"{ref}:{path}: no operator has a site", file=sys.stderr)
    return script


def _write(
    repo: Path, script: Script, mutation: Mutation, folder: Path, dice: random.Random
) -> None:
    site = dice.randrange(script.sites[mutation.name])
    text = applied(script.tree, mutation.operator, site).code
    compile(text, str(script.path), "exec")
    extract(repo, script.ref, str(script.path.parent), folder)
    (folder / script.path.name).write_text(text, encoding="utf-8")


def _answer(name: str, mutation: Mutation, script: Script) -> dict[str, object]:
    return {
        "folder": name,
        "verdict": "illegal" if mutation.rules else "legal",
        "rules": list(mutation.rules),
        "cls": mutation.name,
        "entry": script.path.name,
        "ranks": 1,
        "condition": "the site acts in the configuration that the folder ran",
        "axes": {"script": f"{script.ref}:{script.path.parent.name}"},
    }
