"""`lrzip` and `lrunzip` around the standard library's LZMA.

Same command line and file names, another format inside: what it compresses it gives back byte for
byte, and the size is near the real program's (within some percent on weights), never equal to it.
Input is removed by `-D` only, an existing output is replaced by `-f` only, as in the original.
"""

import getopt
import lzma
import sys
from pathlib import Path

_SHORT = "zblgndtiqQvVfDkPL:o:O:S:p:w:N:Um:T"
_SUFFIX = ".lrz"


def main(arguments: list[str], name: str) -> int:
    """Compresses, decompresses or tests one file, or the standard input."""
    pairs, files = getopt.gnu_getopt(
        arguments, _SHORT, ["decompress", "force", "level=", "outfile="]
    )
    options = dict(pairs)
    unpack = bool({"-d", "--decompress"} & set(options)) or name == "lrunzip"
    source = None if not files or files[0] == "-" else Path(files[0])
    raw = sys.stdin.buffer.read() if source is None else source.read_bytes()
    result = lzma.decompress(raw) if unpack or "-t" in options else lzma.compress(raw, preset=9)
    if "-t" in options:
        return 0
    target = options.get("-o") or options.get("--outfile") or _beside(source, unpack)
    if target in (None, "-"):
        sys.stdout.buffer.write(result)
        return 0
    if Path(str(target)).exists() and not {"-f", "--force"} & set(options):
        print(f"Output file {target} already exists", file=sys.stderr)
        return 1
    Path(str(target)).write_bytes(result)
    if "-D" in options and source is not None:
        source.unlink()
    return 0


def _beside(source: Path | None, unpack: bool) -> str | None:
    if source is None:
        return None
    return str(source).removesuffix(_SUFFIX) if unpack else f"{source}{_SUFFIX}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], Path(sys.argv[0]).name))
