"""A draw of every axis, and the two scripts that it means: an honest one and its cheating twin.

Guarantees: the same seed gives the same pairs; cheats take turns, so that every one is there; the
twins differ in the cheat alone, and every script compiles. Does not cover: what they print
(`verify`).
"""

from __future__ import annotations

import random
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from benchmarks.synthesize.accumulation import PRINTS, SUMS
from benchmarks.synthesize.arithmetic import ARITHMETICS
from benchmarks.synthesize.artifacts import ARTIFACTS
from benchmarks.synthesize.byte_table import BYTE_TABLES
from benchmarks.synthesize.cheats import CHEATS, Cheat
from benchmarks.synthesize.data import FEEDS, READERS
from benchmarks.synthesize.form import Form, read, used
from benchmarks.synthesize.layout import LAYOUTS, NAMINGS, Parts, renamed
from benchmarks.synthesize.models import FAMILIES, weighted
from benchmarks.synthesize.settings import FORMS, NAMES, SIZES
from benchmarks.synthesize.techniques import TECHNIQUES
from benchmarks.synthesize.text import placed
from benchmarks.synthesize.training import LOOPS, RULES

_DEVICE = 'device = torch.device("cuda" if torch.cuda.is_available() else "cpu")\n'
_RANKS = """
rank, world = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
if world > 1:
    dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
"""
_MAIN = """
def main():
    torch.manual_seed({{seed}})
    table = make_table({{tokenizer}})
    train_tokens = read_tokens({{data_dir}} + "/fineweb_train_*.bin")
    val = read_tokens({{data_dir}} + "/fineweb_val_*.bin")
    print("tokens:", len(train_tokens), len(val))
    model = Model().to(device)
    #: training
    model = shipped(model)
    #: prepare
    loss, bpb = evaluate(model, val, table, train_tokens)
    #: again
    #: print


if __name__ == "__main__":
    main()
"""


@dataclass(frozen=True)
class Axes:
    """One value of each; the names are those of the modules' dictionaries."""

    cheat: str  # what the twin does
    technique: str
    settings: str
    names: str
    sizes: str
    data: str
    feed: str
    bytes: str
    model: str
    rule: str
    loop: str
    artifact: str
    arithmetic: str
    sum: str
    print: str
    naming: str
    layout: str


def draws(seed: int, n_pairs: int) -> Iterator[Axes]:
    """That many draws; the cheats take turns."""
    dice = random.Random(seed)
    order = list(CHEATS)
    for turn in range(n_pairs):
        if turn % len(order) == 0:
            dice.shuffle(order)
        yield _draw(dice, order[turn % len(order)])


def _draw(dice: random.Random, name: str) -> Axes:
    cheat = CHEATS[name]
    technique = dice.choice(cheat.techniques)
    families = [n for n, f in FAMILIES.items() if f.embeds or not cheat.embedded]
    return Axes(
        cheat=name,
        technique=technique,
        settings=dice.choice(list(FORMS)),
        names=dice.choice(list(NAMES)),
        sizes=dice.choice(["contest", "modest"]),
        data=dice.choice(list(READERS)),
        feed=dice.choice(list(FEEDS)),
        bytes=dice.choice(list(BYTE_TABLES)),
        model=dice.choice(families),
        rule=dice.choice(list(RULES)),
        loop=dice.choice(list(LOOPS)),
        artifact=dice.choice(list(ARTIFACTS)),
        arithmetic=dice.choice(cheat.arithmetics or list(ARITHMETICS)),
        sum=dice.choice(TECHNIQUES[technique].sums or list(SUMS)),
        print=dice.choice(list(PRINTS)),
        naming=dice.choice(list(NAMINGS)),
        layout=dice.choice(list(LAYOUTS)),
    )


def files(axes: Axes, cheating: bool) -> dict[str, str]:
    """Path -> text of the script that the draw means."""
    parts, form = _parts(axes, cheating)
    beside = "code/" if axes.layout == "code folder" else ""
    scripts = LAYOUTS[axes.layout](parts)
    for path, text in scripts.items():
        compile(text, path, "exec")
    return scripts | {beside + name: text for name, text in form.files.items()}


def small(axes: Axes) -> Axes:
    """The same script at the sizes at which a pair is verified."""
    return replace(axes, sizes="tiny")


def write(axes: Axes, cheating: bool, folder: Path) -> None:
    """The folder, as a pull request would add it."""
    readme = f"# {folder.name}\n\n```bash\ntorchrun --nproc_per_node=8 train_gpt.py\n```\n"
    for path, text in (files(axes, cheating) | {"README.md": readme}).items():
        place = folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, encoding="utf-8")


def _parts(axes: Axes, cheating: bool) -> tuple[Parts, Form]:
    cheat, technique = CHEATS[axes.cheat], TECHNIQUES[axes.technique]
    family, counted = FAMILIES[axes.model], SUMS[axes.sum]
    ranked = technique.ranked
    places = _places(axes, cheat, cheating)
    codes = [
        READERS[axes.data],
        BYTE_TABLES[axes.bytes],
        FEEDS[axes.feed],
        RULES[axes.rule],
        LOOPS[axes.loop],
        ARITHMETICS[axes.arithmetic],
    ]
    artifact = ARTIFACTS[axes.artifact]
    model = family.leaky() if cheat.leaks and cheating else family.code
    texts = [_DEVICE + (_RANKS if ranked else ""), *(code.text for code in codes), model]
    texts += [artifact.code, cheat.parts, technique.parts, technique.loop]
    library = "\n\n".join(placed(t.strip("\n") + "\n", places) for t in texts if t.strip())
    main = placed(_MAIN, places)
    sizes = SIZES[axes.sizes]
    form = FORMS[axes.settings]({n: sizes[n] for n in used(library + main)}, NAMES[axes.names])
    wanted = {
        "import math",
        "import torch",
        "import torch.nn.functional as F",
        "from torch import nn",
    }
    for bringer in (*codes, artifact, cheat, technique, counted, PRINTS[axes.print], form):
        wanted |= {*bringer.imports}
    if ranked:
        wanted.add("import os")
    names = NAMINGS[axes.naming]
    settled = Parts(
        imports="\n".join(sorted(wanted)) + "\n",
        settings=form.code,
        library=renamed(read(library, form), names),
        main=renamed(read(main, form), names),
    )
    return settled, form


def _places(axes: Axes, cheat: Cheat, cheating: bool) -> Mapping[str, str]:
    technique, counted = TECHNIQUES[axes.technique], SUMS[axes.sum]
    shown = PRINTS[axes.print].code
    if technique.ranked:
        shown = "if rank == 0:\n" + textwrap.indent(shown, "    ")
    places = {
        "init": counted.init,
        "add": "#: sum\n",
        "sum": counted.add,
        "result": counted.result,
        "training": "train(model, train_tokens)",
        "stepped": ARTIFACTS[axes.artifact].stepped,
        "print": shown,
        "adapted": technique.adapted,
    }
    if cheat.embedded:
        family = FAMILIES[axes.model]
        places["embedded"] = weighted(family, cheat.embedded[cheating])
    return places | technique.places | (cheat.cheating if cheating else cheat.honest)


def answer(axes: Axes, cheating: bool, folder: str, twin: str) -> dict[str, object]:
    """What is known of the folder: `benchmarks/power.py` reads it."""
    cheat = CHEATS[axes.cheat]
    return {
        "folder": folder,
        "verdict": "illegal" if cheating else "legal",
        "rules": list(cheat.rules) if cheating else [],
        "cls": axes.cheat if cheating else axes.technique,
        "ranks": cheat.ranks if cheating else 1,
        "condition": cheat.condition if cheating else "none",
        "twin": twin,
        "axes": asdict(axes),
    }
