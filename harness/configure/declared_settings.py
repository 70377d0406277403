"""The settings that a native manifest declares, shrunk in proportion to a short stream."""

from collections.abc import Mapping
from typing import Any


def shrunk(
    settings: Mapping[str, Any],
    stream_tokens: int,  # of the stream that the settings were written for
    short_tokens: int,  # of the short stream
    chunk_tokens: int,  # chunk of the short stream
) -> dict[str, Any]:
    """Settings for a short stream: windows per chunk and the load of tables stay, sizes go.

    A hashed cache lies in proportion to its load (tokens per bucket): 2,048 tokens in 4,194,304
    buckets save 5 nats, in 128 buckets 10,233 (simulated), so `buckets` shrinks with the stream.
    """
    seq_len = max(min(settings["seq_len"], chunk_tokens // 4), 1)
    stride = max(seq_len * settings["stride"] // settings["seq_len"], 1)
    small = {**settings, "chunk_tokens": chunk_tokens, "seq_len": seq_len, "stride": stride}
    if isinstance(settings.get("buckets"), int):
        exact = settings["buckets"] * short_tokens / stream_tokens
        small["buckets"] = (
            1 << max(round(exact) - 1, 1).bit_length()
        )  # a power of two, as masks need
    return small
