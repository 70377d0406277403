"""The model once more, slow and obvious, in float64: one position, one head, one rule at a time.

Written from the formulas, not from the fast code: no batches, no masks, no tensor tricks. A weight
is looked up by its name in a state dict `w`; a position's vector is a 1-D tensor.
"""

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from reference_model.config import ModelConfig

Weights = Mapping[str, Tensor]
Vectors = list[Tensor]  # one a position


def unit(x: Tensor) -> Tensor:
    """RMS norm."""
    return x / math.sqrt(sum(v * v for v in x.tolist()) / len(x) + torch.finfo(x.dtype).eps)


def sigmoid(x: Tensor) -> Tensor:
    return 1.0 / (1.0 + torch.exp(-x))


def rectified(value: float, activation: str) -> float:
    if activation == "relu2":
        return value * value if value > 0 else 0.0
    return value * value if value > 0 else (0.5 * value) ** 2


def slow_mlp(x: Tensor, up: Tensor, down: Tensor, activation: str) -> Tensor:
    inner = [rectified(value, activation) for value in (up @ x).tolist()]
    return down @ torch.tensor(inner, dtype=x.dtype)


def turned(x: Sequence[float], position: int, n_positions: int, config: ModelConfig) -> list[float]:
    """One head's vector: pair (i, i + d / 2) turned by position / base^(2i / d)."""
    base, d = config.rope_base, config.rope_dims
    if config.rope_ntk_len and n_positions > config.rope_ntk_len:
        base *= (n_positions / config.rope_ntk_len) ** (d / (d - 2))
    out = list(x)
    for i in range(d // 2):
        j, angle = i + d // 2, position * base ** (-2 * i / d)
        out[i] = x[i] * math.cos(angle) + x[j] * math.sin(angle)
        out[j] = x[j] * math.cos(angle) - x[i] * math.sin(angle)
    return out


def slow_bucket(previous: int | None, this: int, n_buckets: int) -> int:
    if previous is None:
        return n_buckets - 1
    return ((36_313 * this) ^ (27_191 * previous)) % (n_buckets - 1)


def slow_bigram(w: Weights, tokens: Sequence[int], n_buckets: int, prefix: str = "") -> Vectors:
    pairs = zip([None, *tokens[:-1]], tokens, strict=True)
    table, proj = w[f"{prefix}embed.weight"], w[f"{prefix}proj.weight"]
    return [
        proj @ table[slow_bucket(before, this, n_buckets)] * w[f"{prefix}scale"]
        for before, this in pairs
    ]


def slow_smear(gate: Tensor, xs: Vectors, tokens: Sequence[int], boundary_id: int) -> Vectors:
    out = []
    for t, x in enumerate(xs):
        alone = t == 0 or tokens[t] == boundary_id
        before = torch.zeros_like(x) if alone else xs[t - 1]
        out.append((1 - sigmoid(gate)) * x + sigmoid(gate) * before)
    return out


def slow_value_embedding(w: Weights, tokens: Sequence[int], slot: int, prefix: str = "") -> Vectors:
    scale = w[f"{prefix}scale"] * w[f"{prefix}layer_scales"][slot]
    return [w[f"{prefix}proj.weight"] @ w[f"{prefix}embed.weight"][t] * scale for t in tokens]


def slow_values(xs: Vectors, v: Tensor, extra: Vectors | None) -> Vectors:
    """(D_kv,) of each position, before any mix with the first layer's."""
    return [v @ x + (extra[t] if extra else 0) for t, x in enumerate(xs)]


def slow_attention(
    config: ModelConfig,
    own: Weights,  # the attention's: q_gain, attn_gate.weight, attn_gate.bias
    matrices: Mapping[str, Tensor],  # q, k, v, out
    xs: Vectors,  # what the branch reads
    values: Vectors,  # after any mix
    exclusive: bool,
) -> Vectors:
    size, group, T = config.head_dim, config.n_head // config.n_kv_head, len(xs)

    def key(s: int, h: int) -> Tensor:
        k = unit((matrices["k"] @ xs[s])[h // group * size :][:size]).tolist()
        return torch.tensor(turned(k, s, T, config), dtype=xs[0].dtype)

    def value(s: int, h: int) -> Tensor:
        return values[s][h // group * size :][:size]

    rows = []
    for t, x in enumerate(xs):
        heads = []
        for h in range(config.n_head):
            q = unit((matrices["q"] @ x)[h * size :][:size]).tolist()
            q = torch.tensor(turned(q, t, T, config), dtype=x.dtype) * own["q_gain"][h]
            scores = torch.stack([q @ key(s, h) / math.sqrt(size) for s in range(t + 1)])
            shares = torch.exp(scores) / torch.exp(scores).sum()
            y = sum(share * value(s, h) for s, share in enumerate(shares))
            if exclusive:
                direction = value(t, h) / math.sqrt(float(value(t, h) @ value(t, h)))
                y = y - (y @ direction) * direction
            if config.gated_attention:
                y = y * sigmoid(own["attn_gate.weight"][h] @ x + own["attn_gate.bias"][h])
            heads.append(y)
        rows.append(matrices["out"] @ torch.cat(heads))
    return rows


def slow_matrices(config: ModelConfig, w: Weights, layer: int) -> dict[str, Tensor]:
    n = config.n_unique_layers or config.n_layer
    i = layer % n
    return {
        "q": w["qo_bank"][i],
        "out": w["qo_bank"][n + i],
        "k": w["kv_bank"][i],
        "v": w["kv_bank"][n + i],
        "up": w["mlp_up_bank"][i],
        "down": w["mlp_down_bank"][i],
    }


def under(w: Weights, prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): x for name, x in w.items() if name.startswith(prefix)}


def slow_hidden(config: ModelConfig, w: Weights, tokens: Sequence[int]) -> Vectors:
    xs = [w["tok_emb.weight"][t] for t in tokens]
    if config.bigram_buckets:
        pairs = slow_bigram(w, tokens, config.bigram_buckets, "bigram.")
        xs = [x + pair for x, pair in zip(xs, pairs, strict=True)]
    xs = [unit(x) for x in xs]
    if config.smear_gate:
        xs = slow_smear(w["smear.gate"], xs, tokens, config.smear_boundary_id)
    x0s, first_values, stack = xs, None, []
    n_shared = config.n_unique_layers or config.n_layer
    for layer in range(config.n_layer):
        if config.skips and layer >= config.n_layer // 2 and stack:
            weight = w["skips.weights"][layer - config.n_layer // 2]
            xs = [x + weight * skipped for x, skipped in zip(xs, stack.pop(), strict=True)]
        block, matrices = under(w, f"blocks.{layer}."), slow_matrices(config, w, layer)
        attn = under(w, f"blocks.{layer % n_shared}.attn.")
        scale = 1 / math.sqrt(layer + 1) if config.residual_scale else 1.0
        stay, back = block["resid_mix"]
        xs = [stay * x + back * x0 for x, x0 in zip(xs, x0s, strict=True)]
        read = [unit(x) * scale for x in xs]
        extra = None
        if layer in config.value_embed_layers:
            slot = config.value_embed_layers.index(layer)
            extra = slow_value_embedding(w, tokens, slot, "ve.")
        values = slow_values(read, matrices["v"], extra)
        if layer == 0:
            first_values = values
        elif config.value_residual:
            a, b = block["vr_lambda"]
            values = [a * v0 + b * v for v0, v in zip(first_values, values, strict=True)]
        exclusive = layer % n_shared >= n_shared - config.xsa_last_n
        branch = slow_attention(config, attn, matrices, read, values, exclusive)
        xs = [x + block["attn_scale"] * y for x, y in zip(xs, branch, strict=True)]
        branch = [
            slow_mlp(unit(x) * scale, matrices["up"], matrices["down"], config.mlp_activation)
            for x in xs
        ]
        xs = [x + block["mlp_scale"] * y for x, y in zip(xs, branch, strict=True)]
        if layer < config.n_layer // 2:
            stack.append(xs)
    return [unit(x) for x in xs]


def capped(raw: Tensor, cap: float) -> Tensor:
    return torch.tensor([cap * math.tanh(value / cap) for value in raw.tolist()], dtype=raw.dtype)


def slow_logits(config: ModelConfig, w: Weights, tokens: Sequence[int]) -> Tensor:  # (T, V)
    head = w["tok_emb.weight"] if config.tied_embeddings else w["lm_head.weight"]
    return torch.stack(
        [capped(head @ x, config.logit_softcap) for x in slow_hidden(config, w, tokens)]
    )


def slow_nats(logits: Tensor, target: int) -> float:
    """-log softmax(logits)[target]."""
    return math.log(sum(math.exp(value) for value in logits.tolist())) - float(logits[target])


def slow_loss(
    config: ModelConfig, w: Weights, tokens: Sequence[int], targets: Sequence[int]
) -> float:
    """In training: the main loss, and the mean over heads of what each says of its later token."""
    xs, logits = slow_hidden(config, w, tokens), slow_logits(config, w, tokens)
    T = len(tokens)
    loss = sum(slow_nats(logits[t], targets[t]) for t in range(T)) / T
    extra = []
    for k in range(config.mtp_heads):
        head = w[f"mtp_heads.{k}.weight"]
        nats = [
            slow_nats(capped(head @ xs[t], config.logit_softcap), targets[t + k + 1])
            for t in range(T - k - 1)
        ]
        extra.append(sum(nats) / len(nats))
    return loss + (config.mtp_weight * sum(extra) / len(extra) if extra else 0.0)
