"""Turn text files into a data folder that every script of the challenge can read.

Documents: where a file has WikiText titles (a line ` = Title = `), one opens each document; in any
other file, paragraphs (parted by blank lines) are grouped until a group passes 2,000 characters.
Whitespace is folded to single spaces, which the challenge's own tokenizers do too.

Guarantees: a training document that also stands in validation is dropped, and the number is told;
a document is BOS and its ids; the folder appears whole or not at all.
Does not cover: near-duplicates, and characters that the tokenizer itself normalises (the
challenge's use nmt_nfkc): bytes are counted on what the tokens stand for.
"""

import argparse
import itertools
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import sentencepiece as spm
from tqdm import tqdm

from reference_model.data.errors import DataError
from reference_model.data.folder import DataFolder
from reference_model.data.shards import MAX_ID, write_shard
from reference_model.data.tokenizer import encode_document, load_tokenizer

WIKITEXT_TITLE = re.compile(r"^ ?= [^=].*[^=] = ?$", re.MULTILINE)
MIN_GROUP_CHARS = 2_000  # about 800 tokens of the 1,024-entry vocabulary
SHARD_TOKENS = 100_000_000  # the challenge's own shards

EXAMPLE = """\
example:
  python -m reference_model.data.build --train wiki.train.txt --val wiki.test.txt \\
      --tokenizer fineweb_1024_bpe.model --out data/wikitext --val-tokens 65536
"""


def main(argv: list[str] | None = None) -> int:
    args = _parse(argv)
    try:
        build(args.out, args.train, args.val, args.tokenizer, args.train_tokens, args.val_tokens)
    except (DataError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def build(
    out: Path,
    train: list[Path],
    val: list[Path],
    tokenizer: Path,
    train_tokens: int | None = None,  # keep only the first so many
    val_tokens: int | None = None,
) -> DataFolder:
    """The new folder; refuses to touch one that is there."""
    if out.exists():
        raise DataError(f"{out}: exists already; delete it, or choose another --out")
    processor = load_tokenizer(tokenizer)
    if processor.vocab_size() > MAX_ID + 1:
        raise DataError(f"{tokenizer}: {processor.vocab_size()} ids do not fit 16 bits")
    val_documents = list(read_documents(val))
    held_out = set(val_documents)
    all_train = list(read_documents(train))
    train_documents = [document for document in all_train if document not in held_out]
    print(f"dropped {len(all_train) - len(train_documents)} training documents found in validation")

    out.parent.mkdir(parents=True, exist_ok=True)
    building = Path(tempfile.mkdtemp(prefix=f".{out.name}.building-", dir=out.parent))
    try:
        _write_split(building, "train", train_documents, processor, train_tokens)
        _write_split(building, "val", val_documents, processor, val_tokens)
        shutil.copyfile(tokenizer, building / tokenizer.name)
        building.chmod(0o755)
        building.rename(out)
    finally:
        shutil.rmtree(building, ignore_errors=True)
    return DataFolder.open(out)


def read_documents(files: list[Path]) -> Iterator[str]:
    """Every document of the files in order, whitespace folded, none empty."""
    for file in files:
        try:
            text = file.read_text(encoding="utf-8")
        except OSError as error:
            raise DataError(f"{file}: cannot be read ({error.strerror})") from error
        except UnicodeDecodeError as error:
            raise DataError(f"{file}: expected UTF-8 text ({error})") from error
        yield from (folded for part in _split(text) if (folded := " ".join(part.split())))


def _split(text: str) -> Iterator[str]:
    starts = [match.start() for match in WIKITEXT_TITLE.finditer(text)]
    if starts:
        edges = [0, *starts, len(text)]
        yield from (text[a:b] for a, b in itertools.pairwise(edges))
        return
    group = ""
    for paragraph in re.split(r"\n\s*\n", text):
        group += "\n" + paragraph
        if len(group) > MIN_GROUP_CHARS:
            yield group
            group = ""
    yield group


def _write_split(
    folder: Path,
    split: str,
    documents: list[str],
    processor: spm.SentencePieceProcessor,
    limit: int | None,  # tokens
) -> None:
    parts, n_tokens = [], 0
    for document in tqdm(documents, desc=split, unit="document", mininterval=1.0):
        if limit is not None and n_tokens >= limit:
            break
        parts.append(np.array(encode_document(processor, document), dtype=np.uint16))
        n_tokens += parts[-1].size
    if n_tokens < 2:
        raise DataError(f"the {split} files hold no text to predict; give others")
    tokens = np.concatenate(parts)[:limit]
    for n, start in enumerate(range(0, tokens.size, SHARD_TOKENS)):
        shard = tokens[start : start + SHARD_TOKENS]
        write_shard(folder / f"fineweb_{split}_{n:06d}.bin", shard)
    print(f"{split}: {len(parts):,} documents, {tokens.size:,} tokens")


def _parse(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m reference_model.data.build",
        description="Turn text files into a data folder of the challenge's format.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--train", type=Path, nargs="+", required=True, metavar="FILE", help="UTF-8 text")
    add("--val", type=Path, nargs="+", required=True, metavar="FILE", help="UTF-8 text")
    add("--tokenizer", type=Path, required=True, metavar="MODEL", help="SentencePiece .model")
    add("--out", type=Path, required=True, metavar="DIR", help="folder to make")
    add("--train-tokens", type=int, metavar="N", help="keep the first N (default all)")
    add("--val-tokens", type=int, metavar="N", help="keep the first N (default all)")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
