"""Bytes to syntax trees: a packed script is what it carries; the unreadable is unknown."""

from __future__ import annotations

import ast
import base64
import lzma
import zlib
from collections.abc import Callable

import pytest
import zstandard

from audits.findings import Finding
from audits.rules import CHECKS
from audits.source import Outcome, from_bytes
from audits.source.grammar import lowered

Scan = Callable[..., list[Finding]]
ILLEGAL = CHECKS["ORDER-2"].invalid[0]
RAW_FILTERS = [{"id": lzma.FILTER_LZMA2}]


def b85(data: bytes) -> str:
    return base64.b85encode(data).decode()


def raw_lzma(text: str) -> str:
    data = lzma.compress(text.encode(), format=lzma.FORMAT_RAW, filters=RAW_FILTERS)
    return (
        "import lzma as L,base64 as B\n"
        f'exec(L.decompress(B.b85decode("{b85(data)}"),'
        'format=L.FORMAT_RAW,filters=[{"id":L.FILTER_LZMA2}]))\n'
    )


def xz(text: str) -> str:
    payload = b85(lzma.compress(text.encode()))
    return f"import lzma,base64\nexec(lzma.decompress(base64.b85decode({payload!r})).decode())\n"


def lzma_alone(text: str) -> str:
    payload = b85(lzma.compress(text.encode(), format=lzma.FORMAT_ALONE))
    return f"import lzma,base64\nexec(lzma.decompress(base64.b85decode(b{payload!r})))\n"


def zlib_pieces(text: str) -> str:
    payload = base64.b64encode(zlib.compress(text.encode(), 9)).decode()
    pieces = " + ".join(repr(payload[i : i + 70]) for i in range(0, len(payload), 70))
    return f"import zlib,base64\nexec(zlib.decompress(base64.b64decode({pieces})))\n"


def broken_lines(text: str) -> str:
    payload = b85(zlib.compress(text.encode(), 9))
    lines = "\n".join(payload[i : i + 70] for i in range(0, len(payload), 70))
    return (
        "import zlib,base64\n"
        f'exec(zlib.decompress(base64.b85decode("".join("""{lines}""".split()))))\n'
    )


def zstd(text: str) -> str:
    payload = b85(zstandard.ZstdCompressor(level=19).compress(text.encode()))
    return (
        "import zstandard,base64\n"
        f"exec(zstandard.ZstdDecompressor().decompress(base64.b85decode({payload!r})))\n"
    )


def nested(text: str) -> str:
    return xz(raw_lzma(text))


WRAPPERS = (raw_lzma, xz, lzma_alone, zlib_pieces, broken_lines, zstd, nested)


@pytest.mark.parametrize("wrap", WRAPPERS)
def test_packed_and_plain_give_the_same_findings(scan: Scan, wrap: Callable[[str], str]) -> None:
    """Packing changes nothing but the second location, the line of the payload in the wrapper."""
    plain = scan({"train_gpt.py": ILLEGAL})
    packed = scan({"train_gpt.py": wrap(ILLEGAL)})
    key = [(one.rule, one.status, one.line, one.message, one.excerpt) for one in plain]
    assert [(one.rule, one.status, one.line, one.message, one.excerpt) for one in packed] == key
    assert all(one.wrapper_line == 2 for one in packed)
    assert any(one.status == "fail" for one in packed)


def test_a_payload_nobody_can_open_is_unreadable() -> None:
    """Unknown is not clean: a wrapper without a known codec has no tree."""
    noise = base64.b85encode(bytes(range(256)) * 8).decode()
    source = from_bytes(f"import secret\nexec(secret.open({noise!r}))\n".encode())
    assert source.outcome is Outcome.UNREADABLE
    assert "no known codec" in source.note


def test_a_bomb_is_refused() -> None:
    """Output is bounded: sixteen megabytes of spaces behind an import do not come out."""
    source = from_bytes(xz("import os\n" + " " * 16_000_000).encode())
    assert source.outcome is Outcome.UNREADABLE


def test_a_big_literal_in_a_big_file_is_no_wrapper() -> None:
    """Embedded data does not replace the file around it."""
    inner = b85(zlib.compress(b"import os\n" * 200))
    text = "import zlib\n" + "value = 1\n" * 2000 + f"exec({inner!r})\n"
    source = from_bytes(text.encode())
    assert source.outcome is Outcome.PARSED
    assert source.text == text


@pytest.mark.parametrize("prefix", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_marks_and_line_ends_do_not_matter(prefix: bytes, newline: str) -> None:
    """A byte order mark and CRLF give the same tree."""
    text = "x = 1\nif x:\n    y = '''a\nb'''\n"
    source = from_bytes(prefix + text.replace("\n", newline).encode())
    assert source.tree is not None
    assert ast.dump(source.tree) == ast.dump(ast.parse(text))


def test_binary_and_broken_files_are_unreadable() -> None:
    """No exception, and a note that says why."""
    assert from_bytes(b"\xff\xfe\x00\x01\x80").outcome is Outcome.UNREADABLE
    broken = from_bytes(b"def f(:\n")
    assert broken.outcome is Outcome.UNREADABLE
    assert "not Python" in broken.note


def test_a_bundle_is_read_in_part() -> None:
    """Python in front of another language: the Python is judged, and the outcome says partly."""
    text = "x = 1\n" * 20 + "# === FB ===\n#include <vector>\nint main() { return 0; }\n"
    source = from_bytes(text.encode())
    assert source.outcome is Outcome.PARTLY
    assert source.tree is not None
    assert len(source.tree.body) == 20


def test_a_packed_folder_is_read_file_by_file(scan: Callable[..., list[Finding]]) -> None:
    """A payload of several files: what is started finds the others, at their lines in the whole."""
    illegal = CHECKS["ORDER-1"].invalid[0]
    files = {"run.py": "import inner\n", "inner.py": illegal, "fast.cpp": "int main() { }"}
    whole = "\n# === next ===\n".join(files.values())
    packed = base64.b85encode(lzma.compress(whole.encode())).decode()
    wrapper = (
        "import base64, lzma, os, tempfile\n"
        f"whole = lzma.decompress(base64.b85decode({packed!r})).decode()\n"
        "folder = tempfile.mkdtemp()\n"
        f"for name, text in zip({list(files)!r}, whole.split('\\n# === next ===\\n')):\n"
        "    open(os.path.join(folder, name), 'w').write(text)\n"
        "exec(open(os.path.join(folder, 'run.py')).read())\n"
    )

    assert from_bytes(wrapper.encode()).outcome is Outcome.UNPACKED
    (found,) = [one for one in scan({"train_gpt.py": wrapper}) if one.status == "fail"]
    assert found.rule == "ORDER-1"
    assert whole.split("\n")[found.line - 1].strip() == found.excerpt


NEWER = """
table = {"a": 1.5, "b": 2}
w = 8
print(f"x {table["a"]:.3f} {{kept}} {"\\n".join(["p", "q"])}")
print("head " f"{table["b"]!r:>{w}}" " tail")
print(f"{f"{w}"}", sum(v-(0 if v else 1)for v in[0,1]))
"""


def test_newer_fstrings_are_read_on_this_interpreter(capsys: pytest.CaptureFixture[str]) -> None:
    """Quotes and backslashes inside f-strings (Python 3.12): same lines, same meaning."""
    source = from_bytes(NEWER.encode())
    assert source.outcome is Outcome.PARSED
    assert source.tree is not None
    assert [statement.lineno for statement in source.tree.body] == [2, 3, 4, 5, 6]
    rewritten = lowered(NEWER)
    assert rewritten is not None
    exec(rewritten, {})  # our own text, to compare what it prints
    assert capsys.readouterr().out == "x 1.500 {kept} p\nq\nhead        2 tail\n8 0\n"


def test_newer_grammar_inside_a_packed_script(scan: Scan) -> None:
    """The two things together, as in real records: findings at the same lines."""
    text = ILLEGAL + 'print(f"{val_loss!s:>{len("abc")}} {"x" + "y"}")\n'
    packed = scan({"train_gpt.py": raw_lzma(text)})
    assert [(one.rule, one.line) for one in packed] == [
        (one.rule, one.line) for one in scan({"train_gpt.py": ILLEGAL})
    ]
