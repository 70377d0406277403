"""The same walls around a predictor: the scripts that only ask are run in its process."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from harness.doctor.check import DONE, Check
from harness.doctor.ground import Ground
from harness.errors import SubmissionError
from harness.predictor import Geometry
from harness.protocol.confinement import IsolationAsked
from harness.referee.worker.process import WorkerProcess, Workplace

TIME_LIMIT_S = 60.0
NEVER = "no predictor: what it tried stands in its log"


def reached(checks: Sequence[Check], ground: Ground, folder: Path) -> str:
    """What was granted; empty where nothing was."""
    texts = {check.what: ground.told() + check.scripts[-1] for check in checks}
    code = [
        f"for what, text in json.loads({json.dumps(json.dumps(texts))}).items():",
        "    try:",
        "        exec(text, {})",
        "    except Exception as error:",
        "        print(what, 'ended in', repr(error))",
        f"raise RuntimeError({NEVER!r})",
    ]
    (folder / "walls.py").write_text("import json\n" + "\n".join(code) + "\n", encoding="utf-8")
    for name in ("artifact.bin", "tokenizer.model"):
        (folder / name).write_bytes(b"nothing")
    log = folder / "worker.log"
    place = Workplace(
        folder,
        folder / "artifact.bin",
        folder / "tokenizer.model",
        log,
        TIME_LIMIT_S,
        isolation=IsolationAsked.PARTIAL,
    )
    with WorkerProcess(place) as worker:
        worker.begin()
        try:
            worker.ask("load", _asked(worker))
        except SubmissionError as error:
            if NEVER not in str(error):
                return str(error)
    said = log.read_text(encoding="utf-8", errors="replace").partition("Traceback")[0].splitlines()
    granted = [line for line in said if line != DONE]
    whole = said.count(DONE) == len(checks) and not granted
    return "" if whole else "; ".join(granted) or "it did not come to its end"


def _asked(worker: WorkerProcess) -> dict[str, object]:
    """To load the module, which is all that is wanted."""
    return {
        "kind": "predictor",
        "target": "walls.py:build",
        "artifact": str(worker.artifact),
        "tokenizer": str(worker.tokenizer),
        "geometry": asdict(Geometry(8, 8, 8, 8)),
        "settings": {},
        "device": "cpu",
        "seed": 0,
    }
