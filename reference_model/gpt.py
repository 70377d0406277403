"""The record family's model: a small transformer as submissions of the challenge build it.

    tokens -> token embedding (+ bigram_hash) -> norm -> smear_gate -> x0
    each layer: (+ skips) -> mix with x0 -> + attention -> + mlp
    norm -> tied head -> softcap -> logits

The parts are modules of their own (named above, and `rope`, `value_embedding`, `head`); which of
them a model has, its config says. All matrices of the blocks lie in four `banks`. Names and initial
values follow the public record #549, whose logits this model gives for the same weights
(`benchmarks/parity_549.py`).

Precision: weights stay in float32; activations and products have `compute_dtype`, to which each
bank is cast once a forward. Losses and logits are float32. No autocast is needed.

Guarantees: logits at t depend on tokens 0..t; no tensor made in a forward pass outlives it; forward
and forward_logits compile as one graph each. Knows nothing of text, bytes, optimisers or files:
token ids in, logits or nats out.
"""

import math
from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from reference_model.attention import Attention
from reference_model.banks import (
    BANKS,
    PerMatrix,
    bank_shapes,
    damp_gradient,
    n_uses,
    split_banks,
)
from reference_model.bigram_hash import BigramHash
from reference_model.config import ModelConfig
from reference_model.head import MultiTokenHeads, softcap, softcapped_loss
from reference_model.initial import matrix_
from reference_model.mlp import mlp
from reference_model.rope import Angles, rope_angles
from reference_model.skips import Skips
from reference_model.smear_gate import SmearGate
from reference_model.value_embedding import ValueEmbedding

EMBED_INIT_STD = 0.005  # #549; tied embeddings start near zero so that the first logits are flat
VALUE_MIX_INIT = (0.5, 0.5)  # #549: shares of the first layer's values and of a layer's own


def norm(x: Tensor) -> Tensor:  # (..., D) -> (..., D)
    """RMS norm without a learned gain, as the family has it."""
    return F.rms_norm(x, (x.size(-1),))


class Block(nn.Module):
    """What one layer learns beside its matrices: scales, mixes, and its attention's own."""

    def __init__(self, config: ModelConfig, layer: int):
        super().__init__()
        d = config.model_dim
        self.activation = config.mlp_activation
        self.input_scale = 1.0 / math.sqrt(layer + 1) if config.residual_scale else 1.0
        self.attn = Attention(config, layer) if layer < config.n_banked else None  # else shared
        self.attn_scale = nn.Parameter(torch.ones(d))
        self.mlp_scale = nn.Parameter(torch.ones(d))
        self.resid_mix = nn.Parameter(torch.stack([torch.ones(d), torch.zeros(d)]))
        mixes_values = config.value_residual and layer > 0  # the first layer has nothing to mix in
        self.vr_lambda = nn.Parameter(torch.tensor(VALUE_MIX_INIT)) if mixes_values else None

    def forward(
        self,
        x: Tensor,  # (B, T, D), the residual stream
        x0: Tensor,  # (B, T, D), the embedding of the same tokens
        attn: Attention,  # its own, or that of the layer whose matrices it shares
        weights: PerMatrix[Tensor],
        angles: Angles,
        value_embedding: Tensor | None = None,  # (B, T, D_kv)
        first_values: Tensor | None = None,  # (B, T, H_kv, head_dim)
    ) -> tuple[Tensor, Tensor]:
        """The stream (B, T, D) after this layer, and the layer's values before any mix."""
        mix = self.resid_mix.to(x.dtype)
        x = mix[0] * x + mix[1] * x0
        branch, values = attn(
            norm(x) * self.input_scale,
            weights,
            angles,
            value_embedding,
            first_values,
            self.vr_lambda,
        )
        x = x + self.attn_scale.to(x.dtype) * branch
        branch = mlp(norm(x) * self.input_scale, weights.up, weights.down, self.activation)
        return x + self.mlp_scale.to(x.dtype) * branch, values


class GPT(nn.Module):
    def __init__(self, config: ModelConfig):
        super().__init__()
        self.config = config
        self.compute_dtype: torch.dtype | None = None  # of activations; None: as the embedding
        self.n_frozen = 0  # first layers that do not learn, see freeze_blocks
        self.tok_emb = nn.Embedding(config.vocab_size, config.model_dim)
        self.bigram = BigramHash(config) if config.bigram_buckets else None
        self.smear = SmearGate(config) if config.smear_gate else None
        self.ve = ValueEmbedding(config) if config.value_embed_layers else None
        self.skips = Skips(config) if config.skips else None
        for name, shape in bank_shapes(config).items():
            self.register_parameter(name, nn.Parameter(torch.empty(shape)))
        self.blocks = nn.ModuleList(Block(config, layer) for layer in range(config.n_layer))
        self.lm_head = (
            None
            if config.tied_embeddings
            else nn.Linear(config.model_dim, config.vocab_size, bias=False)
        )
        self.mtp_heads = MultiTokenHeads(config) if config.mtp_heads else None
        self._init_weights()

    def forward_logits(
        self,
        tokens: Tensor,  # (B, T) int64 ids
    ) -> Tensor:
        """(B, T, V) float32 logits; those at t are the prediction of token t + 1."""
        return softcap(self._raw_logits(self._hidden(tokens)), self.config.logit_softcap)

    def forward(
        self,
        tokens: Tensor,  # (B, T) int64 ids
        targets: Tensor,  # (B, T) int64 ids, the tokens that follow
    ) -> Tensor:
        """Mean loss over all targets, nats per token; in training with that of `mtp_heads`."""
        hidden = self._hidden(tokens)
        raw = self._raw_logits(hidden).flatten(0, 1)
        loss = softcapped_loss(raw, targets.flatten(), self.config.logit_softcap)
        if self.training and self.mtp_heads is not None:
            loss = loss + self.config.mtp_weight * self.mtp_heads.loss(hidden, targets)
        return loss

    @property
    def n_parameters(self) -> int:
        return sum(parameter.numel() for parameter in self.parameters())

    def freeze_blocks(self, n: int) -> None:
        """From now on the first `n` layers do not learn (#461, #537: 2); 0 frees all.

        Matrices of a frozen layer get a gradient of exactly zero in their rows of the banks; its
        other parameters get none (requires_grad). Decoupled weight decay is the optimiser's: it
        would still shrink a frozen row. A layer that shares matrices with a frozen one has them
        frozen too.
        """
        self.n_frozen = n
        for layer, block in enumerate(self.blocks):
            block.requires_grad_(layer >= n)

    def shipped_parameters(self) -> Iterator[tuple[str, nn.Parameter]]:
        """Names and parameters of what an artifact holds: all but what serves training only."""
        for name, parameter in self.named_parameters():
            if not name.startswith("mtp_heads."):
                yield name, parameter

    def _hidden(self, tokens: Tensor) -> Tensor:  # (B, T) -> (B, T, D), normalised
        x = x0 = self._embed(tokens)
        value_embeddings = self.ve(tokens, x.dtype) if self.ve is not None else {}
        angles = self._angles(x)
        early: list[Tensor] = []  # outputs that later layers read
        first_values = None
        for layer, weights in enumerate(self._matrices(x.dtype)):
            if self.skips is not None:
                x = self.skips(x, early, layer)
            attn = self.blocks[layer % self.config.n_banked].attn
            x, values = self.blocks[layer](
                x, x0, attn, weights, angles, value_embeddings.get(layer), first_values
            )
            if self.skips is not None and layer < self.skips.n_early:
                early.append(x)
            if layer == 0:
                first_values = values
        return norm(x)

    def _embed(self, tokens: Tensor) -> Tensor:  # (B, T) -> (B, T, D), compute_dtype
        # Looked up in the table's own dtype, cast after: a frequent token's gradients are then
        # summed in that dtype, not in bfloat16.
        x = self.tok_emb(tokens)
        x = x.to(self.compute_dtype or x.dtype)
        if self.bigram is not None:
            x = x + self.bigram(tokens, x.dtype)
        x = norm(x)
        return self.smear(x, tokens) if self.smear is not None else x

    def _angles(self, x: Tensor) -> Angles:
        c = self.config
        return rope_angles(x.size(1), c.rope_dims, c.rope_base, c.rope_ntk_len, x.device, x.dtype)

    def _matrices(self, dtype: torch.dtype) -> list[PerMatrix[Tensor]]:
        """Each layer's matrices in `dtype`, cut off from the banks where frozen."""
        banks = {name: getattr(self, name).to(dtype) for name in BANKS}
        frozen = {layer % self.config.n_banked for layer in range(self.n_frozen)}
        layers = []
        for layer, weights in enumerate(split_banks(banks, self.config)):
            if layer % self.config.n_banked in frozen:
                weights = PerMatrix(*(w.detach() for w in weights))
            uses = n_uses(self.config, layer)
            layers.append(PerMatrix(*(damp_gradient(w, uses) for w in weights)))
        return layers

    def _raw_logits(self, hidden: Tensor) -> Tensor:  # (B, T, D) -> (B, T, V), before the cap
        head = self.tok_emb if self.lm_head is None else self.lm_head
        return F.linear(hidden, head.weight.to(hidden.dtype))

    @torch.no_grad()
    def _init_weights(self) -> None:
        """Zero where a branch rejoins the stream: the model starts as none. See `initial`."""
        nn.init.normal_(self.tok_emb.weight, std=EMBED_INIT_STD)
        n = self.config.n_banked
        for bank in (self.qo_bank[:n], self.kv_bank, self.mlp_up_bank):
            matrix_(bank, self.config)
        nn.init.zeros_(self.qo_bank[n:])
        nn.init.zeros_(self.mlp_down_bank)
        if self.lm_head is not None:
            nn.init.zeros_(self.lm_head.weight)
