"""Text in a script's own vocabulary, for the distribution that looks like language.

It is Python's language reference, which every installation carries.
"""

from functools import lru_cache
from pydoc_data.topics import topics

import numpy as np
import numpy.typing as npt

from harness.streams.vocabulary import Vocabulary

CHARACTERS = 400_000  # about 170,000 tokens of 1,024 entries: enough contexts for trigrams


@lru_cache(maxsize=2)
def reference_tokens(vocabulary: Vocabulary) -> npt.NDArray[np.int64]:
    """(n,) ids of the language reference."""
    text = "\n".join(topics[name] for name in sorted(topics))[:CHARACTERS]
    return vocabulary.encode(text)
