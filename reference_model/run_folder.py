"""The folder of one training run: which run it is, how far it came, what came out.

    settings.json   what this run is; another run is refused here
    checkpoint.pt   the last state, while training
    train.jsonl     one line a logged step, without times: equal for equal runs
    train.log       the contest's lines, with times
    artifact.bin    the quantised model
    result.json     the outcome; written last, so it stands for "complete"

Guarantees: small files are replaced whole; after a kill the log goes exactly as far as the
checkpoint. Does not cover: two processes in one folder at the same time.
"""

import json
import os
from dataclasses import dataclass
from pathlib import Path

from reference_model.trainer import TrainingError


@dataclass(frozen=True)
class RunFolder:
    root: Path

    @property
    def artifact(self) -> Path:
        return self.root / "artifact.bin"

    @property
    def checkpoint(self) -> Path:
        return self.root / "checkpoint.pt"

    @classmethod
    def claim(cls, root: Path, settings: dict) -> "RunFolder":
        """The folder, made if missing, once it is known to belong to these settings."""
        folder = cls(root)
        settings = json.loads(json.dumps(settings))  # as they will be read back: lists, no tuples
        try:
            root.mkdir(parents=True, exist_ok=True)
            found = folder._read("settings.json")
            if found is None:
                folder._write("settings.json", settings)
        except OSError as error:
            raise TrainingError(f"{root}: cannot be used as --out ({error.strerror})") from error
        if found is not None and (other := _differences(found, settings)):
            raise TrainingError(
                f"{root}: holds a run with other settings ({other}); "
                "choose another --out, or delete that folder"
            )
        return folder

    def result(self) -> dict | None:
        """What the complete run reported, or None while there is more to do."""
        return self._read("result.json") if self.artifact.exists() else None

    def finish(self, result: dict) -> None:
        self._write("result.json", result)
        self.checkpoint.unlink(missing_ok=True)

    def log(self, record: dict) -> None:
        with open(self.root / "train.jsonl", "a") as file:
            file.write(json.dumps(record) + "\n")

    def say(self, line: str) -> None:
        """One line of the contest's log."""
        with open(self.root / "train.log", "a") as file:
            file.write(line + "\n")

    def rewind_log(self, step: int) -> None:
        """Drop what was logged after the checkpoint; those steps will be taken again."""
        path = self.root / "train.jsonl"
        if path.exists():
            lines = path.read_text().splitlines(keepends=True)
            kept = [
                line for line in lines if line.endswith("\n") and json.loads(line)["step"] <= step
            ]
            _replace(path, "".join(kept))

    def _read(self, name: str) -> dict | None:
        try:
            return json.loads((self.root / name).read_text())
        except FileNotFoundError:
            return None
        except ValueError as error:
            raise TrainingError(f"{self.root / name}: not JSON ({error}); delete it") from error

    def _write(self, name: str, content: dict) -> None:
        _replace(self.root / name, json.dumps(content, indent=2) + "\n")


def _replace(path: Path, text: str) -> None:
    partial = path.with_name(f".{path.name}.partial")
    partial.write_text(text)
    os.replace(partial, path)


def _differences(found: dict, wanted: dict) -> str:
    keys = sorted(found.keys() | wanted.keys())
    changed = [key for key in keys if found.get(key) != wanted.get(key)]
    if changed == ["recipe"]:  # a page of numbers, of interest only when nothing else differs
        return f"recipe: {found.get('recipe')} there, {wanted.get('recipe')} asked"
    shown = [key for key in changed if key != "recipe"]
    return ", ".join(f"{key}: {found.get(key)} there, {wanted.get(key)} asked" for key in shown)
