"""SentencePiece tokenizers: loading one, and training the embedded default.

The trained tokenizer mirrors the challenge's 1,024-entry BPE (options read off the protobuf inside
its .model file): ids 0 pad, 1 bos, 2 eos, 3 unk, 4-259 the bytes; byte fallback; digits split;
character coverage 0.999; no dummy prefix; soft vocabulary limit.

Differs from the challenge's in one thing, on purpose: normalisation is the identity and repeated
spaces are kept (theirs is nmt_nfkc with spaces folded), so decode(encode(text)) == text. The one
exception is U+2581, SentencePiece's own sign for a space.
Guarantees: the same texts give the same model bytes. Does not cover: other model types.
"""

import io
from collections.abc import Iterable
from pathlib import Path

import sentencepiece as spm

from reference_model.data.errors import DataError

VOCAB_SIZE = 1024
PAD_ID, BOS_ID, EOS_ID, UNK_ID = 0, 1, 2, 3

_TRAINER_OPTIONS = {
    "model_type": "bpe",
    "byte_fallback": True,
    "split_digits": True,
    "character_coverage": 0.999,
    "hard_vocab_limit": False,
    "add_dummy_prefix": False,
    "pad_id": PAD_ID,
    "bos_id": BOS_ID,
    "eos_id": EOS_ID,
    "unk_id": UNK_ID,
    # Ours: lossless (see above).
    "normalization_rule_name": "identity",
    "remove_extra_whitespaces": False,
    # One thread and no sampling: the model must be a function of the texts alone.
    "num_threads": 1,
    "input_sentence_size": 0,
    "max_sentence_length": 1 << 20,  # bytes; longer ones would be skipped in silence
    "minloglevel": 2,  # errors only; the trainer prints pages otherwise
}


def train_tokenizer(texts: Iterable[str], vocab_size: int = VOCAB_SIZE) -> bytes:
    """The bytes of a .model file learned from the texts."""
    model = io.BytesIO()
    try:
        spm.SentencePieceTrainer.train(
            sentence_iterator=iter(texts),
            model_writer=model,
            vocab_size=vocab_size,
            **_TRAINER_OPTIONS,
        )
    except (RuntimeError, OSError) as error:
        raise DataError(
            f"no tokenizer of {vocab_size} entries can be trained on these texts ({error}); "
            "give more text or a smaller vocabulary"
        ) from error
    return model.getvalue()


def load_tokenizer(path: Path) -> spm.SentencePieceProcessor:
    """The tokenizer in a .model file, or a DataError that names the file."""
    path = Path(path)
    processor = spm.SentencePieceProcessor()
    try:
        processor.LoadFromSerializedProto(path.read_bytes())
    except OSError as error:
        raise DataError(f"{path}: the tokenizer cannot be read ({error.strerror})") from error
    except RuntimeError as error:
        raise DataError(
            f"{path}: expected a SentencePiece model, found something else; fetch it again"
        ) from error
    return processor


def encode_document(
    tokenizer: spm.SentencePieceProcessor,
    text: str,
) -> list[int]:
    """BOS and the text's ids: how the challenge's shards write one document."""
    return [BOS_ID, *tokenizer.encode(text)]
