"""The axes of packing and of files: the script's text as a folder.

Guarantees: the same program, whichever way. Does not cover: minified names; `naming` gives others.
"""

from __future__ import annotations

import base64
import io
import itertools
import lzma
from collections.abc import Mapping
from dataclasses import dataclass
from tokenize import NAME, generate_tokens

NAMINGS: dict[str, dict[str, str]] = {
    "plain": {},
    "long": {
        "evaluate": "eval_val",
        "nats_of": "score_targets",
        "read_tokens": "load_validation_or_train",
        "count_bytes": "utf8_length",
        "make_table": "build_luts",
        "adapt": "test_time_update",
        "Model": "GPT",
        "train": "fit",
        "nats": "token_losses",
        "val": "val_tokens",
    },
    "terse": {
        "evaluate": "ev",
        "nats_of": "sc",
        "read_tokens": "rd",
        "count_bytes": "nb",
        "make_table": "mt",
        "adapt": "up",
        "Model": "M",
        "batches": "bt",
        "make_step": "ms",
        "nats": "l",
        "table": "tb",
    },
}


@dataclass(frozen=True)
class Parts:
    """A script in two: what can live in a module of its own, and what runs."""

    imports: str
    settings: str
    library: str  # functions and classes
    main: str


def renamed(text: str, names: Mapping[str, str]) -> str:
    """Names that are no attributes; what stands in strings is left alone."""
    lines = text.splitlines(keepends=True)
    found = [
        (token, names[token.string])
        for before, token in itertools.pairwise(generate_tokens(io.StringIO(text).readline))
        if token.type == NAME and token.string in names and before.string != "."
    ]
    for token, new in reversed(found):
        row, start = token.start[0] - 1, token.start[1]
        lines[row] = lines[row][:start] + new + lines[row][token.end[1] :]
    return "".join(lines)


def one_file(parts: Parts) -> dict[str, str]:
    sections = [parts.imports, parts.settings, parts.library, parts.main]
    return {"train_gpt.py": "\n\n".join(s.strip("\n") for s in sections if s.strip()) + "\n"}


def sibling_modules(parts: Parts) -> dict[str, str]:
    library = "\n\n".join([parts.imports, parts.settings, parts.library])
    main = f"{parts.imports}\nfrom pieces import *  # noqa: F403\n\n\n{parts.main}"
    return {"pieces.py": library, "train_gpt.py": main}


def code_folder(parts: Parts) -> dict[str, str]:
    library = "\n\n".join([parts.imports, parts.settings, parts.library])
    head = "import sys\nfrom pathlib import Path\n\n"
    head += 'sys.path.insert(0, str(Path(__file__).parent / "code"))\n'
    main = f"{head}{parts.imports}\nfrom pieces import *  # noqa: F403\n\n\n{parts.main}"
    return {"code/pieces.py": library, "train_gpt.py": main}


def packed(parts: Parts) -> dict[str, str]:
    text = one_file(parts)["train_gpt.py"]
    blob = base64.b85encode(lzma.compress(text.encode("utf-8"))).decode("ascii")
    return {
        "train_gpt.py": f'import lzma as L,base64 as B\nexec(L.decompress(B.b85decode("{blob}")))\n'
    }


LAYOUTS = {
    "one file": one_file,
    "sibling modules": sibling_modules,
    "code folder": code_folder,
    "lzma": packed,
}
