"""Evaluation strategies that a submission can simply declare, by name, in its manifest."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from harness.engines.lora_ttt import lora_ttt
from harness.engines.ngram_backoff import ngram_backoff
from harness.engines.score_first_ttt import score_first_ttt
from harness.engines.sliding_window import sliding_window
from harness.predictor import Predictor, PredictorContext

ENGINES: Mapping[str, Callable[[PredictorContext], Predictor]] = MappingProxyType(
    {
        "sliding_window": sliding_window,
        "score_first_ttt": score_first_ttt,
        "lora_ttt": lora_ttt,
        "ngram_backoff": ngram_backoff,
    }
)
