"""Where things are kept that are built once: the embedded corpus, tokenizers, reference artifacts.

Guarantees: the platform's folder for caches of this user, or SCOREFIRST_CACHE where that is set;
absolute, so that it is one folder for every process of an evaluation. A file that `keep` puts
there appears whole: two processes may build it at once. Does not cover folders that are built
there: their builders see to it.
"""

import os
import tempfile
from pathlib import Path

from platformdirs import user_cache_path

from reference_model.data.errors import DataError

VARIABLE = "SCOREFIRST_CACHE"


def cache_folder() -> Path:
    """The folder, made if it is missing. Raises DataError where that cannot be."""
    named = os.environ.get(VARIABLE)
    path = Path(named).absolute() if named else user_cache_path("scorefirst", appauthor=False)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(
            f"{path}: the folder for what is built once cannot be made ({error.strerror});"
            f" name one with the environment variable {VARIABLE}"
        ) from error
    return path


def keep(path: Path, content: bytes) -> None:
    """Writes a file of the cache, or replaces it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as new:
        new.write(content)
    os.replace(new.name, path)
