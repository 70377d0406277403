"""Low-rank adapters that learn one document and forget it: the recipe of 2026-03-17_LoRA_TTT (#77).

The weights stay as shipped. Queries and values of every layer get W + B A, B zero at first, so a
fresh adapter changes nothing. After each scored chunk one Adam step on the chunk's own loss, with
the document so far as context; a token that opens a document throws adapter and optimiser state
away, and what stands before it in the chunk is not learned any more.

Guarantees: an adapter has seen one document only. Not covered: an adapter of its own for a document
that begins inside a chunk (its first tokens are scored with the one before, until the chunk ends),
documents in parallel, and #77's adapter of the head, which tied embeddings do not allow here.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

from harness.engines.settings import read_settings
from harness.engines.sliding_window import SlidingWindow, WindowSettings
from harness.predictor import PredictorContext
from reference_model.banks import bank_rows
from reference_model.config import ModelConfig
from reference_model.data.tokenizer import load_tokenizer
from reference_model.gpt import GPT


@dataclass(frozen=True)
class LoraSettings:
    """Hyperparameters; the defaults are #77's (its chunks: 256 tokens, its windows: 1,024)."""

    rank: int = 8  # TTT_LORA_RANK
    lr: float = 0.01  # TTT_LORA_LR
    beta1: float = 0.9  # BETA1
    beta2: float = 0.95  # BETA2
    eps: float = 1e-10


class Adapter(nn.Module):
    """Low-rank changes of all layers' query and value matrices."""

    def __init__(self, config: ModelConfig, rank: int) -> None:
        super().__init__()
        rows = [bank_rows(config, layer) for layer in range(config.n_banked)]
        self._rows = {"qo_bank": [r.q.row for r in rows], "kv_bank": [r.v.row for r in rows]}
        n, d = config.n_banked, config.model_dim
        widths = {"qo_bank": d, "kv_bank": config.kv_dim}
        self.a, self.b = nn.ParameterDict(), nn.ParameterDict()
        for bank, width in widths.items():
            self.a[bank] = nn.Parameter(torch.empty(n, rank, d))
            self.b[bank] = nn.Parameter(torch.empty(n, width, rank))

    @torch.no_grad()
    def reset(self, seed: int) -> None:
        """B to zero, A uniform within 1/sqrt(inputs): the same draw for every document."""
        draw = torch.Generator().manual_seed(seed)
        for a in self.a.values():
            bound = a.shape[-1] ** -0.5
            a.copy_(torch.empty(a.shape).uniform_(-bound, bound, generator=draw))
        for b in self.b.values():
            b.zero_()

    def weights(self, model: GPT) -> dict[str, Tensor]:
        """The changed banks of a model, by name."""
        changed = {}
        for name, rows in self._rows.items():
            bank: Tensor = getattr(model, name)
            at = torch.tensor(rows, device=bank.device)
            changed[name] = bank.index_add(0, at, self.b[name] @ self.a[name])
        return changed


class Logits(nn.Module):
    """`forward_logits` as a forward, which is what functional_call calls."""

    def __init__(self, model: GPT) -> None:
        super().__init__()
        self.model = model

    def forward(self, tokens: Tensor) -> Tensor:  # (B, T) int64 -> (B, T, V)
        return self.model.forward_logits(tokens)


class LoraTTT(SlidingWindow):
    """A sliding window over a model with an adapter for the document under way."""

    def __init__(self, context: PredictorContext, settings: LoraSettings) -> None:
        super().__init__(context, WindowSettings())
        self.settings = settings
        self._seed = context.seed
        self._boundary = load_tokenizer(context.tokenizer).bos_id()
        self.model.requires_grad_(False).eval()
        self._logits = Logits(self.model)
        self.adapter = Adapter(self.model.config, settings.rank).to(context.device)
        self._document: Tensor
        self._begin_document()

    def log_probs(self, windows: Tensor, scored: int) -> Tensor:  # -> (B, scored, V) float32, nats
        """Log-softmax of the adapted model's logits."""
        return torch.log_softmax(self._adapted_logits(windows)[:, -scored:].float(), dim=-1)

    def adapt(self, tokens: Tensor) -> None:  # (n + 1,) int64
        """One step on what the chunk holds of the document under way."""
        chunk = tokens[1:]
        opened = torch.nonzero(chunk == self._boundary)
        if len(opened):
            self._begin_document()
            chunk = chunk[int(opened[-1]) :]
        self._document = torch.cat([self._document, chunk])[-self._geometry.seq_len - 1 :]
        n_targets = min(len(chunk), len(self._document) - 1)
        if n_targets:
            self._step(n_targets)

    def _begin_document(self) -> None:
        s = self.settings
        self.adapter.reset(self._seed)
        self._optimizer = torch.optim.Adam(
            self.adapter.parameters(), lr=s.lr, betas=(s.beta1, s.beta2), eps=s.eps
        )
        device = self.model.tok_emb.weight.device
        self._document = torch.empty(0, dtype=torch.int64, device=device)

    def _step(self, n_targets: int) -> None:
        self._optimizer.zero_grad(set_to_none=True)
        logits = self._adapted_logits(self._document[None, :-1])[0, -n_targets:]
        torch.autograd.backward(F.cross_entropy(logits, self._document[-n_targets:]))
        self._optimizer.step()

    def _adapted_logits(self, tokens: Tensor) -> Tensor:
        changed = {f"model.{k}": v for k, v in self.adapter.weights(self.model).items()}
        logits: Tensor = functional_call(self._logits, changed, (tokens,))
        return logits


def lora_ttt(context: PredictorContext) -> LoraTTT:
    """Factory."""
    return LoraTTT(context, read_settings(LoraSettings, context.settings, "lora_ttt"))
