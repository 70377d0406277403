"""The axis of settings: how a script learns its sizes, and what it calls them.

Guarantees: every form gives the same values for the same sizes. Does not cover: types other than
int, float and str.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

from benchmarks.synthesize.form import Form, Values, assignments, attribute, item, word
from benchmarks.synthesize.options import OPTIONS

_DATA: Values = {
    "data_dir": "./data/datasets/fineweb10B_sp1024",
    "tokenizer": "./data/tokenizers/fineweb_1024_bpe.model",
    "seed": 1337,
    "vocab": 1024,
    "lr": 0.01,
    "ttt_lr": 0.05,
    "cache_weight": 4.0,
}

# contest: as records are handed in; modest: runs on a laptop as it is; tiny: verifies a pair.
SIZES: dict[str, Values] = {
    "contest": _DATA
    | {
        "seq_len": 1024,
        "batch_tokens": 524288,
        "dim": 512,
        "layers": 9,
        "heads": 8,
        "steps": 20000,
        "seconds": 600.0,
        "stride": 64,
        "chunk": 32768,
        "buckets": 4194304,
        "rank": 8,
    },
    "modest": _DATA
    | {
        "seq_len": 128,
        "batch_tokens": 2048,
        "dim": 64,
        "layers": 2,
        "heads": 4,
        "steps": 60,
        "seconds": 20.0,
        "stride": 32,
        "chunk": 512,
        "buckets": 4096,
        "rank": 4,
    },
    "tiny": _DATA
    | {
        "seq_len": 32,
        "batch_tokens": 512,
        "dim": 16,
        "layers": 1,
        "heads": 2,
        "steps": 80,
        "seconds": 20.0,
        "stride": 16,
        "chunk": 128,
        "buckets": 64,
        "rank": 2,
    },
}

# What the environment or the command line calls them: as most records do, or in words of one's own.
NAMES: dict[str, dict[str, str]] = {
    "contest": {
        "data_dir": "DATA_PATH",
        "tokenizer": "TOKENIZER_PATH",
        "vocab": "VOCAB_SIZE",
        "seq_len": "TRAIN_SEQ_LEN",
        "batch_tokens": "TRAIN_BATCH_TOKENS",
        "dim": "MODEL_DIM",
        "layers": "NUM_LAYERS",
        "heads": "NUM_HEADS",
        "steps": "ITERATIONS",
        "seconds": "MAX_WALLCLOCK_SECONDS",
        "lr": "MATRIX_LR",
        "stride": "EVAL_STRIDE",
        "chunk": "TTT_CHUNK_TOKENS",
        "buckets": "NGRAM_BUCKETS",
    },
    "own": {
        "data_dir": "CORPUS",
        "tokenizer": "PIECES",
        "vocab": "ALPHABET",
        "seq_len": "SPAN",
        "batch_tokens": "BITE",
        "dim": "WIDTH",
        "layers": "DEPTH",
        "heads": "EYES",
        "steps": "TURNS",
        "seconds": "PATIENCE",
        "lr": "PACE",
        "stride": "HOP",
        "chunk": "PIECE",
        "buckets": "SLOTS",
    },
}


def dataclass_of_environment(values: Values, names: Mapping[str, str]) -> Form:
    lines = []
    for name, value in values.items():
        kind = type(value).__name__
        lines.append(
            f'    {name}: {kind} = {kind}(os.environ.get("{word(name, names)}", {value!r}))'
        )
    code = "@dataclass\nclass Config:\n" + "\n".join(lines) + "\n\n\ncfg = Config()\n"
    return Form(code, attribute, imports=("import os", "from dataclasses import dataclass"))


def text_table(values: Values, names: Mapping[str, str]) -> Form:
    rows = "\n".join(f"{n} {word(n, names)} {type(v).__name__} {v}" for n, v in values.items())
    code = f'''\
KNOBS = """
{rows}
"""
cfg = SimpleNamespace()
for row in KNOBS.strip().splitlines():
    field, variable, kind, standard = row.split()
    cast = {{"int": int, "float": float, "str": str}}[kind]
    setattr(cfg, field, cast(os.environ.get(variable, standard)))
'''
    return Form(code, attribute, imports=("import os", "from types import SimpleNamespace"))


def environment_lookup(values: Values, names: Mapping[str, str]) -> Form:
    rows = "".join(f'    "{n}": ("{word(n, names)}", {v!r}),\n' for n, v in values.items())
    code = f"""\
KNOWN = {{
{rows}}}


class Lookup:
    def __getattr__(self, name):
        variable, standard = KNOWN[name]
        return type(standard)(os.environ[variable]) if variable in os.environ else standard


cfg = Lookup()
"""
    return Form(code, attribute, imports=("import os",))


def environment_in_place(values: Values, names: Mapping[str, str]) -> Form:
    def reads(name: str) -> str:
        kind = type(values[name]).__name__
        return f'{kind}(os.getenv("{word(name, names)}") or {values[name]!r})'

    return Form("", reads, imports=("import os",))


def command_line(values: Values, names: Mapping[str, str]) -> Form:
    rows = "".join(
        f'parser.add_argument("--{word(n, names).lower().replace("_", "-")}", dest="{n}", '
        f"type={type(v).__name__}, default={v!r})\n"
        for n, v in values.items()
    )
    code = f"parser = argparse.ArgumentParser()\n{rows}cfg = parser.parse_args()\n"
    return Form(code, attribute, imports=("import argparse",))


def json_file(values: Values, names: Mapping[str, str]) -> Form:
    code = 'cfg = json.loads(Path(__file__).with_name("config.json").read_text())\n'
    files = {"config.json": json.dumps(dict(values), indent=1) + "\n"}
    return Form(code, item, files, ("import json", "from pathlib import Path"))


def toml_file(values: Values, names: Mapping[str, str]) -> Form:
    code = 'cfg = tomllib.loads((Path(__file__).parent / "run.toml").read_text("utf-8"))\n'
    files = {"run.toml": "".join(f"{n} = {json.dumps(v)}\n" for n, v in values.items())}
    return Form(code, item, files, ("import tomllib", "from pathlib import Path"))


def yaml_file(values: Values, names: Mapping[str, str]) -> Form:
    code = 'cfg = yaml.safe_load(Path(__file__).with_name("run.yaml").read_text())\n'
    files = {"run.yaml": "".join(f"{n}: {json.dumps(v)}\n" for n, v in values.items())}
    return Form(code, item, files, ("import yaml", "from pathlib import Path"))


def ini_file(values: Values, names: Mapping[str, str]) -> Form:
    code = """\
parser = configparser.ConfigParser()
parser.read(Path(__file__).with_name("run.ini"))
cfg = {name: ast.literal_eval(text) for name, text in parser["run"].items()}
"""
    files = {"run.ini": "[run]\n" + assignments(values)}
    return Form(
        code, item, files, ("import ast", "import configparser", "from pathlib import Path")
    )


def python_file(values: Values, names: Mapping[str, str]) -> Form:
    code = 'cfg = runpy.run_path(str(Path(__file__).with_name("config.py")))\n'
    files = {"config.py": assignments(values)}
    return Form(code, item, files, ("import runpy", "from pathlib import Path"))


def default_arguments(values: Values, names: Mapping[str, str]) -> Form:
    rows = "".join(f"    {n}={v!r},\n" for n, v in values.items())
    code = f"def plan(\n{rows}):\n    return SimpleNamespace(**locals())\n\n\ncfg = plan()\n"
    return Form(code, attribute, imports=("from types import SimpleNamespace",))


def words_over_constants(values: Values, names: Mapping[str, str]) -> Form:
    code = assignments({n.upper(): v for n, v in values.items()})
    code += """
for word in sys.argv[1:]:
    name, _, text = word.lstrip("-").partition("=")
    globals()[name.upper()] = type(globals()[name.upper()])(text)
"""
    return Form(code, str.upper, imports=("import sys",))


def constants(values: Values, names: Mapping[str, str]) -> Form:
    return Form(assignments({n.upper(): v for n, v in values.items()}), str.upper)


def classattributes(values: Values, names: Mapping[str, str]) -> Form:
    lines = "".join(f"    {n} = {v!r}\n" for n, v in values.items())
    return Form(f"class cfg:\n{lines}", attribute)


def sibling_module(values: Values, names: Mapping[str, str]) -> Form:
    files = {"knobs.py": assignments(values)}
    return Form("", lambda n: f"knobs.{n}", files, ("import knobs",))


FORMS: dict[str, Callable[[Values, Mapping[str, str]], Form]] = {
    "environment, dataclass": dataclass_of_environment,
    "environment, text table": text_table,
    "environment, looked up late": environment_lookup,
    "environment, in place": environment_in_place,
    "argparse": command_line,
    "words over constants": words_over_constants,
    "JSON file": json_file,
    "TOML file": toml_file,
    "YAML file": yaml_file,
    "INI file": ini_file,
    "Python file": python_file,
    "constants": constants,
    "class attributes": classattributes,
    "default arguments": default_arguments,
    "sibling module": sibling_module,
} | OPTIONS
