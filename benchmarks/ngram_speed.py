"""Our n-gram counts beside a public script's class: `python benchmarks/ngram_speed.py SCRIPT`.

SCRIPT is the train_gpt.py of #1185, fetched by whoever runs this; only its class NgramBackoffCache
is compiled, nothing else of it runs. Both score and learn the same chunks of real tokens in turn,
chunk by chunk, so that other work on the machine slows both; then ours goes on alone to ten million
tokens. Exit code 1 when a limit is missed: probabilities to 1e-9, 10 times the rate, 200 bytes a
token, cost at 10 M tokens at most twice that at 0.1 M.

`--tokens FILE`: token ids as a contest shard (.bin) or a text file, tokenised with `--tokenizer`;
else the embedded corpus. The long run reads the sources of Python's standard library and of the
installed packages, tokenised alike: equal files once, in a drawn order, so that the text at its end
is of the kind of that at its beginning.
"""

from __future__ import annotations

import argparse
import ast
import math
import random
import sys
import sysconfig
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from harness.engines.context_counts import BREAK, ContextCounts
from harness.engines.ngram_backoff import NgramSettings
from reference_model.data.corpus import embedded_data
from reference_model.data.shards import read_shard
from reference_model.data.tokenizer import load_tokenizer

CHUNK = 32_768  # tokens, TTT_CHUNK_TOKENS of #1185
SIDE_BY_SIDE = 200_000  # tokens
MARKS = (100_000, 1_000_000, 10_000_000)  # tokens after which the cost so far is shown
VOCAB = 1024  # fixed in the public class
MAX_DIFFERENCE, MIN_RATIO, MAX_BYTES, MAX_GROWTH = 1e-9, 10.0, 200.0, 2.0
SETTINGS = NgramSettings()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("script", type=Path)
    parser.add_argument("--tokens", type=Path, help="a shard (.bin) or text; else embedded text")
    parser.add_argument("--tokenizer", type=Path, help="SentencePiece model of 1,024 entries")
    parser.add_argument("--upto", type=int, default=MARKS[-1], help="tokens of the long run")
    options = parser.parse_args()
    data = embedded_data()
    processor = load_tokenizer(options.tokenizer or data.tokenizer)
    if options.tokens is None:
        tokens = np.asarray(data.train_tokens())
    elif options.tokens.suffix == ".bin":
        tokens = np.asarray(read_shard(options.tokens))
    else:
        tokens = np.array(processor.encode(options.tokens.read_text(encoding="utf-8")))
    tokens = tokens.astype(np.int64)
    beside = side_by_side(public_class(options.script), tokens[:SIDE_BY_SIDE])
    return int(not (beside & long_run(processor, options.upto)))


def public_class(script: Path) -> type:
    """The class of the script, and nothing else of it."""
    tree = ast.parse(script.read_text(encoding="utf-8"))
    found = [n for n in tree.body if isinstance(n, ast.ClassDef) and n.name == "NgramBackoffCache"]
    if not found:
        sys.exit(f"{script}: defines no class NgramBackoffCache; give the train_gpt.py of #1185")
    names: dict[str, Any] = {"math": math, "Tensor": torch.Tensor}
    exec(compile(ast.Module(found, []), str(script), "exec"), names)
    return names["NgramBackoffCache"]


def side_by_side(kind: type, tokens: np.ndarray) -> bool:
    """Both over the same chunks: each token's probability, mixed and unmixed, then learning."""
    s = SETTINGS
    public = kind(s.max_order, s.alpha_base, s.alpha_range, s.alpha_center)
    ours, listed = ContextCounts(s.min_order, s.max_order), tokens.tolist()
    public_s = ours_s = worst = worst_mixed = 0.0
    for first in range(0, len(tokens) - 1, CHUNK):
        stop = min(first + CHUNK, len(tokens) - 1)
        start = time.perf_counter()
        theirs = [public.query_backoff(listed[max(0, i - 9) : i], listed[i])
                  for i in range(first + 1, stop + 1)]  # fmt: skip
        middle = time.perf_counter()
        known, p = query(ours, tokens, first, stop)
        public_s, ours_s = public_s + middle - start, ours_s + time.perf_counter() - middle

        assert known.tolist() == [log_p is not None for log_p in theirs], "contexts differ"
        expected = [math.exp(log_p) for log_p in theirs if log_p is not None]
        worst = max(worst, np.abs(p[known] - expected).max(initial=0.0))
        mixed = mixed_difference(public, listed, first, stop, known, p)
        worst_mixed = max(worst_mixed, mixed)

        start = time.perf_counter()
        public.update(listed[first : stop + 1])
        middle = time.perf_counter()
        ours.learn(tokens[first : stop + 1])
        public_s, ours_s = public_s + middle - start, ours_s + time.perf_counter() - middle
    n = len(tokens)
    ratio, n_bytes = public_s / ours_s, ours.n_bytes / n
    print(f"{n:,} tokens, update and query: public {n / public_s:,.0f} tokens/s, ours"
          f" {n / ours_s:,.0f} tokens/s, ratio {ratio:.1f} (at least {MIN_RATIO:g})\n"
          f"probability: largest difference {worst:.1e}; mixed log-probability {worst_mixed:.1e}"
          f" (at most {MAX_DIFFERENCE:g})\n"
          f"memory: {n_bytes:.0f} bytes a token (at most {MAX_BYTES:g})")  # fmt: skip
    same = max(worst, worst_mixed) <= MAX_DIFFERENCE
    return same and ratio >= MIN_RATIO and n_bytes <= MAX_BYTES


def query(
    counts: ContextCounts, tokens: np.ndarray, first: int, stop: int
) -> tuple[np.ndarray, np.ndarray]:
    """Which of the tokens first+1..stop have a known context, and their probabilities."""
    width = SETTINGS.max_order - 1
    past = tokens[max(0, first + 1 - width) : stop]
    past = np.concatenate([np.full(stop - first + width - 1 - len(past), BREAK), past])
    nodes = counts.match(np.lib.stride_tricks.sliding_window_view(past, width))
    targets = tokens[first + 1 : stop + 1]
    return nodes != 0, (counts.count(nodes, targets) + 1) / (counts.total(nodes) + VOCAB)


def mixed_difference(
    public: Any, listed: list[int], first: int, stop: int, known: np.ndarray, p: np.ndarray
) -> float:
    """Largest difference of mixed log-probabilities, over made-up model numbers, nats."""
    n = stop - first
    draw = torch.Generator().manual_seed(first)
    model = -8 * torch.rand(n, generator=draw, dtype=torch.float64)
    entropy = 7 * torch.rand(n, generator=draw, dtype=torch.float64)
    context, targets = listed[max(0, first - 9) : stop + 1], listed[first + 1 : stop + 1]
    theirs = public.mix_logprobs(model, entropy, context, targets)
    alpha = SETTINGS.alpha(entropy) * torch.from_numpy(known)
    ours = ((1 - alpha) * model.exp() + alpha * torch.from_numpy(p)).log()
    return float((ours - theirs).abs().max())


def long_run(processor: Any, upto: int) -> bool:
    """Ours alone; processor seconds, which other work on the machine moves least."""
    counts, n, spent_s, next_mark = ContextCounts(2, 9), 0, 0.0, 0
    cost: dict[int, float] = {}
    for chunk in chunks(processor):
        start = time.process_time()
        query(counts, chunk, 0, len(chunk) - 1)
        counts.learn(chunk)
        spent_s += time.process_time() - start
        n += len(chunk) - 1
        if next_mark < len(MARKS) and n >= MARKS[next_mark]:
            cost[MARKS[next_mark]] = 1e9 * spent_s / n
            print(f"{n:>12,} tokens: {1e9 * spent_s / n:,.0f} ns a token so far,"
                  f" {counts.n_bytes / n:.0f} bytes a token", flush=True)  # fmt: skip
            next_mark += 1
        if n >= upto:
            break
    growth = max(cost.values()) / cost[MARKS[0]]
    print(f"cost so far at its highest mark: {growth:.2f} times that at {MARKS[0]:,} tokens")
    return growth <= MAX_GROWTH and counts.n_bytes / n <= MAX_BYTES


def chunks(processor: Any) -> Iterator[np.ndarray]:
    """Installed sources, cut into chunks that begin with the last token of the one before."""
    rest = np.empty(0, np.int64)
    for text in installed_texts():
        rest = np.concatenate([rest, np.array(processor.encode(text), np.int64)])
        while len(rest) > CHUNK:
            yield rest[: CHUNK + 1]
            rest = rest[CHUNK:]


def installed_texts() -> Iterator[str]:
    folders = (sysconfig.get_path("stdlib"), sysconfig.get_path("purelib"))
    paths = sorted({path for folder in folders for path in Path(folder).rglob("*.py")})
    random.Random(0).shuffle(paths)
    seen: set[str] = set()
    for path in paths:
        text = path.read_text(encoding="utf-8", errors="replace")
        if text not in seen:
            seen.add(text)
            yield text


if __name__ == "__main__":
    sys.exit(main())
