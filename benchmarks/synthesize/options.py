"""More of the axis of settings: options of the command line, and the environment as a table.

Guarantees: as in `settings`, whose shape of a form these have. Does not cover: types other than
int, float and str; packages that are no dependency of anything here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from benchmarks.synthesize.form import Form, Values, assignments, attribute, item, word


def click_command(values: Values, names: Mapping[str, str]) -> Form:
    rows = "".join(
        f'@click.option("--{_dashed(n, names)}", "{n}", default={v!r}, show_default=True)\n'
        for n, v in values.items()
    )
    code = f"""\
@click.command()
{rows}def told(**given):
    return SimpleNamespace(**given)


cfg = told.main(standalone_mode=False)
"""
    return Form(code, attribute, imports=("import click", "from types import SimpleNamespace"))


def options_of_fields(values: Values, names: Mapping[str, str]) -> Form:
    lines = "".join(f"    {n}: {type(v).__name__} = {v!r}\n" for n, v in values.items())
    code = f"""\
@dataclass(frozen=True)
class Plan:
{lines}

    @classmethod
    def from_words(cls):
        parser = argparse.ArgumentParser()
        for f in fields(cls):
            parser.add_argument("--" + f.name, type=type(f.default), default=f.default)
        return cls(**vars(parser.parse_known_args()[0]))


cfg = Plan.from_words()
"""
    return Form(code, attribute, imports=("import argparse", "from dataclasses import *"))


def table_over_environment(values: Values, names: Mapping[str, str]) -> Form:
    code = f"""\
STANDARD = {{{", ".join(f'"{word(n, names)}": "{v}"' for n, v in values.items())}}}
SAID = {{**STANDARD, **os.environ}}
cfg = {{
{"".join(_cast(n, v, names) for n, v in values.items())}}}
"""
    return Form(code, item, imports=("import os",))


def _cast(name: str, value: object, names: Mapping[str, str]) -> str:
    return f'    "{name}": {type(value).__name__}(SAID["{word(name, names)}"]),\n'


def class_from_environment(values: Values, names: Mapping[str, str]) -> Form:
    lines = "".join(f"    {n}: {type(v).__name__} = {v!r}\n" for n, v in values.items())
    code = f"""\
class Settings(NamedTuple):
{lines}
    @classmethod
    def from_env(cls, prefix="GPT_"):
        said = {{}}
        for name, kind in cls.__annotations__.items():
            text = os.environ.get(prefix + name.upper())
            if text is not None:
                said[name] = kind(text)
        return cls(**said)


cfg = Settings.from_env()
"""
    return Form(code, attribute, imports=("import os", "from typing import NamedTuple"))


def one_variable(values: Values, names: Mapping[str, str]) -> Form:
    rows = ", ".join(f'"{n}": {v!r}' for n, v in values.items())
    code = f"""\
cfg = {{{rows}}}
cfg.update(json.loads(os.environ.get("OVERRIDES", "{{}}")))
"""
    return Form(code, item, imports=("import json", "import os"))


def presets(values: Values, names: Mapping[str, str]) -> Form:
    rows = ", ".join(f"{n}={v!r}" for n, v in values.items())
    code = f"""\
PRESETS = {{"full": dict({rows})}}
PRESETS["long"] = {{**PRESETS["full"], "seed": 7}}
cfg = SimpleNamespace(**PRESETS[sys.argv[1] if len(sys.argv) > 1 else "full"])
"""
    return Form(code, attribute, imports=("import sys", "from types import SimpleNamespace"))


def names_over_environment(values: Values, names: Mapping[str, str]) -> Form:
    code = assignments({n.upper(): v for n, v in values.items()})
    code += """
for known in [name for name in dir() if name.isupper()]:
    if known in os.environ:
        exec(f"{known} = type({known})(os.environ[known])")
"""
    return Form(code, str.upper, imports=("import os",))


def _dashed(name: str, names: Mapping[str, str]) -> str:
    return word(name, names).lower().replace("_", "-")


OPTIONS: dict[str, Callable[[Values, Mapping[str, str]], Form]] = {
    "click": click_command,
    "options of fields": options_of_fields,
    "environment over a table": table_over_environment,
    "environment, class method": class_from_environment,
    "JSON in one variable": one_variable,
    "presets": presets,
    "environment over names": names_over_environment,
}
