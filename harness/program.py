"""What a submission's own evaluation program is given and must say: `program: file.py`.

The program runs as `__main__`, is given the whole stream by environment, and ends by printing its
headline. It may use this module, or read the variables itself:

    DATA_PATH/fineweb_val_000000.bin   the stream, a contest shard (no training data: rule DATA-2)
    TOKENIZER_PATH, ARTIFACT_PATH, VOCAB_SIZE, SEED, DEVICE
    CHUNK_TOKENS, SEQ_LEN, STRIDE, ... the manifest's settings, in capitals

    val_loss:<nats per token> val_bpb:<bits per byte> val_tokens:<targets scored>

Settings come from the environment because the harness also runs the program on a short stream of
known source, with chunk, window and `BUCKETS` shrunk in proportion. Lines marked DIAGNOSTIC are no
headline.
"""

import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from harness.arrays import Tokens
from harness.predictor import Geometry
from harness.streams.vocabulary import Vocabulary
from harness.streams.windows import Chunk, chunks
from reference_model.data.shards import read_shard

VALIDATION_SHARD = "fineweb_val_000000.bin"


@dataclass(frozen=True)
class Program:
    """A program's surroundings, read from the environment."""

    tokens: Tokens  # (T,) int64, the whole stream
    artifact: Path
    tokenizer: Path
    seed: int
    device: str

    @classmethod
    def from_environment(cls) -> "Program":
        """Raises KeyError naming the variable that is missing."""
        return cls(
            tokens=read_shard(Path(os.environ["DATA_PATH"]) / VALIDATION_SHARD).astype(np.int64),
            artifact=Path(os.environ["ARTIFACT_PATH"]),
            tokenizer=Path(os.environ["TOKENIZER_PATH"]),
            seed=int(os.environ["SEED"]),
            device=os.environ["DEVICE"],
        )

    def setting(self, name: str) -> float:
        """A number from the manifest's settings."""
        return float(os.environ[name.upper()])

    def chunks(self) -> Iterator[Chunk]:
        """The stream cut into chunks of sliding windows, as the settings ask."""
        cut = {k: int(self.setting(k)) for k in ("seq_len", "stride", "chunk_tokens")}
        geometry = Geometry(**cut, stream_tokens=len(self.tokens))
        return chunks(geometry, int(os.environ["VOCAB_SIZE"]))

    def print_headline(self, nats: float, n_targets: int, tag: str = "final") -> None:
        """The claim: code length of `n_targets` targets, nats, over the stream's bytes."""
        n_bytes = int(Vocabulary.of_tokenizer(self.tokenizer).token_bytes(self.tokens)[1:].sum())
        bits_per_byte = nats / math.log(2) / n_bytes
        print(
            f"{tag} val_loss:{nats / n_targets:.8f} val_bpb:{bits_per_byte:.8f}"
            f" val_tokens:{n_targets}",
            flush=True,
        )
