"""Adaptation of the score-first engines: what trains, how far, and what is forgotten."""

import copy
import json
import math
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from harness.engines import ENGINES
from harness.engines.lora_ttt import LoraSettings, LoraTTT
from harness.engines.recipes import RECIPES, SEED_537, TTTSettings
from harness.engines.score_first_ttt import ScoreFirstTTT, score_first_ttt
from harness.errors import ContractError
from harness.predictor import Geometry, PredictorContext
from harness.referee.ledger import Score, Update
from harness.referee.run import Run
from reference_model.banks import bank_rows
from reference_model.data.folder import DataFolder
from reference_model.gpt import GPT

SEQ_LEN, CHUNK, N_CHUNKS = 16, 64, 4
BOS = 1


@pytest.fixture
def context(artifact: Path, data_folder: DataFolder) -> PredictorContext:
    geometry = Geometry(SEQ_LEN, 8, CHUNK, CHUNK * N_CHUNKS + 1)
    return PredictorContext(
        artifact, data_folder.tokenizer, artifact.parent, geometry, {}, "cpu", seed=3
    )


def draw(n: int, seed: int) -> Tensor:  # (n,) int64, no boundary among them
    return torch.randint(3, 1024, (n,), generator=torch.Generator().manual_seed(seed))


def weights(model: torch.nn.Module) -> dict[str, Tensor]:
    return {name: p.detach().clone() for name, p in model.named_parameters()}


def plain_recipe(model: GPT, s: TTTSettings, chunks: list[Tensor]) -> None:
    """The slow twin: the scripts' loop, one parameter at a time, every frozen row put back."""
    velocity = {name: torch.zeros_like(p) for name, p in model.named_parameters()}
    frozen = [bank_rows(model.config, layer) for layer in range(s.freeze_blocks)]
    for c, tokens in enumerate(chunks):
        n_seqs = (len(tokens) - 1) // SEQ_LEN
        starts = range(0, n_seqs, s.batch_seqs)
        step, n_steps = 0, s.epochs * len(starts)
        for _ in range(s.epochs):
            for start in starts:
                stop = min(start + s.batch_seqs, n_seqs)
                piece = tokens[start * SEQ_LEN : stop * SEQ_LEN + 1]
                model.zero_grad()
                model(piece[:-1].view(-1, SEQ_LEN), piece[1:].view(-1, SEQ_LEN)).backward()
                gradients = {}
                for name, p in model.named_parameters():
                    block = name.split(".")[1] if name.startswith("blocks.") else ""
                    still = block and int(block) < s.freeze_blocks
                    gradients[name] = torch.zeros_like(p) if still else p.grad.clone()
                for row in (row for rows in frozen for row in rows):
                    gradients[row.bank][row.row] = 0
                size = math.sqrt(sum(g.square().sum().item() for g in gradients.values()))
                lr = s.lr * 0.5 * (1 + math.cos(math.pi * c / (N_CHUNKS - 1)))
                if s.cosine_in_chunk:
                    lr *= 0.5 * (1 + math.cos(math.pi * step / n_steps))
                for name, p in model.named_parameters():
                    clipped = gradients[name] * min(1.0, s.grad_clip / (size + 1e-6))
                    velocity[name] = s.momentum * velocity[name] + clipped
                    up, down = s.mlp_in_factor, s.mlp_out_factor
                    factor = {"mlp_up_bank": up, "mlp_down_bank": down}.get(name, 1.0)
                    p.data -= lr * factor * velocity[name]
                step += 1


@pytest.mark.parametrize(
    "settings",
    [
        TTTSettings(lr=0.05, batch_seqs=3),
        replace(SEED_537, lr=0.05, epochs=4, freeze_blocks=1, batch_seqs=3, grad_clip=0.1),
    ],
    ids=["as #549", "as #537"],
)
def test_adaptation_is_the_scripts_loop_in_float64(
    context: PredictorContext, settings: TTTSettings
) -> None:
    """Over all chunks but the last, every parameter ends where the plain loop leaves it."""
    engine = ScoreFirstTTT(context, settings)
    engine.model.double()
    twin = copy.deepcopy(engine.model)
    twin.freeze_blocks(0)
    chunks = [draw(CHUNK + 1 + 5 * c, seed=c) for c in range(N_CHUNKS - 1)]
    for chunk in chunks:
        engine.adapt(chunk)
    plain_recipe(twin, settings, chunks)
    expected = weights(twin)
    for name, p in weights(engine.model).items():
        torch.testing.assert_close(p, expected[name], atol=1e-12, rtol=0, msg=name)


def test_frozen_blocks_do_not_move_and_all_else_does(context: PredictorContext) -> None:
    """To the last bit, in the banks too."""
    engine = ScoreFirstTTT(context, TTTSettings(freeze_blocks=1))
    before = weights(engine.model)
    engine.adapt(draw(CHUNK + 1, seed=0))
    after, config = weights(engine.model), engine.model.config
    for layer in range(config.n_layer):
        for bank, row in bank_rows(config, layer):
            assert torch.equal(before[bank][row], after[bank][row]) == (layer == 0)
    for name in before:
        if name.startswith("blocks."):
            assert torch.equal(before[name], after[name]) == name.startswith("blocks.0.")
    assert not torch.equal(before["tok_emb.weight"], after["tok_emb.weight"])


def test_a_chunk_shorter_than_a_sequence_teaches_nothing(context: PredictorContext) -> None:
    """As in #549; the schedule goes on."""
    engine = ScoreFirstTTT(context, TTTSettings())
    before = weights(engine.model)
    engine.adapt(draw(SEQ_LEN, seed=0))
    assert all(torch.equal(p, before[name]) for name, p in weights(engine.model).items())


def test_recipes_are_named_and_open_to_change(context: PredictorContext) -> None:
    """A setting beside `recipe` replaces the recipe's; an unknown name or setting is refused."""
    for name, recipe in RECIPES.items():
        named = replace(context, settings={"recipe": name})
        assert score_first_ttt(named).settings == recipe
        changed = replace(context, settings={"recipe": name, "epochs": 1})
        assert score_first_ttt(changed).settings == replace(recipe, epochs=1)
    for wrong in ({"recipe": "unheard"}, {"learning_rate": 1.0}):
        with pytest.raises(ContractError, match=str(next(iter(wrong)))):
            score_first_ttt(replace(context, settings=wrong))
    assert asdict(RECIPES["seed_537"])["mlp_out_factor"] == 3.0


def test_compiled_answers_are_the_plain_ones(context: PredictorContext) -> None:
    """Rows and weights after a chunk, for usual shapes and for others; only a compiler differs."""
    seen: list[torch.Size] = []

    def compiler(function: Callable, dynamic: bool) -> Callable:
        assert not dynamic
        return lambda *args: (seen.append(args[0].shape), function(*args))[1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch, "compile", compiler)
        fast = ScoreFirstTTT(context, TTTSettings(compiled=True, batch_seqs=3))
    plain = ScoreFirstTTT(context, TTTSettings(batch_seqs=3))
    windows = draw(6 * SEQ_LEN, seed=1).view(6, SEQ_LEN)
    shapes = [(windows[:1], SEQ_LEN), (windows[:4], 8), (windows[4:], 8), (windows[2:], 8)]
    shapes.append((windows[:4, 3:], 8))
    for asked, scored in shapes:
        assert torch.equal(fast.log_probs(asked, scored), plain.log_probs(asked, scored))
    assert seen == [windows[:4].shape] * 2
    for engine in (fast, plain):
        engine.adapt(draw(CHUNK + 1, seed=0))
    assert seen[2:] == [torch.Size((3, SEQ_LEN))] * 3
    assert all(torch.equal(p, plain.model.state_dict()[n]) for n, p in weights(fast.model).items())


@pytest.fixture
def lora(context: PredictorContext) -> Callable[[], LoraTTT]:
    return lambda: LoraTTT(context, LoraSettings(rank=2))


def chunk_of(*parts: list[int]) -> Tensor:
    """A chunk as the referee hands it over: the token before it, then its own."""
    return torch.tensor([7, *(token for part in parts for token in part)])


def test_an_adapter_learns_and_a_boundary_throws_it_away(lora: Callable[[], LoraTTT]) -> None:
    """Rows move with the document, are those of the bare model after its end; weights stay."""
    engine, window = lora(), draw(SEQ_LEN, seed=5)[None]
    bare, shipped = engine.log_probs(window, 8), weights(engine.model)
    text = draw(CHUNK, seed=1).tolist()
    engine.adapt(chunk_of(text))
    engine.adapt(chunk_of(text))
    assert (engine.log_probs(window, 8) - bare).abs().max() > 1e-3
    engine.adapt(chunk_of(text, [BOS]))
    assert torch.equal(engine.log_probs(window, 8), bare)
    assert all(torch.equal(p, shipped[name]) for name, p in weights(engine.model).items())


def test_an_adapter_has_seen_one_document_only(lora: Callable[[], LoraTTT]) -> None:
    """Whatever was read before, and wherever in its chunk the document begins."""
    window, text = draw(SEQ_LEN, seed=5)[None], draw(40, seed=1).tolist()
    first, later = lora(), lora()
    later.adapt(chunk_of(draw(CHUNK, seed=2).tolist()))
    for engine, past in ((first, []), (later, draw(20, seed=3).tolist())):
        engine.adapt(chunk_of(past, [BOS], text))
        engine.adapt(chunk_of(text[::-1]))
    assert torch.equal(first.log_probs(window, 8), later.log_probs(window, 8))


def test_a_step_is_adam_on_the_chunks_own_loss_in_float64(lora: Callable[[], LoraTTT]) -> None:
    """Against the adapted matrices written out, with the document so far as context."""
    engine = lora()
    engine.model.double()
    engine.adapter.double()
    one, two = [BOS, *draw(5, seed=1).tolist()], draw(6, seed=2).tolist()
    twin, adapter = copy.deepcopy(engine.model), copy.deepcopy(engine.adapter)
    optimizer = torch.optim.Adam(adapter.parameters(), lr=0.01, betas=(0.9, 0.95), eps=1e-10)
    for context, new in (([], one), (one, two)):
        engine.adapt(chunk_of(new))
        document = torch.tensor([context + new])
        optimizer.zero_grad()
        banks = {k: getattr(twin, k).detach().clone() for k in ("qo_bank", "kv_bank")}
        for layer in range(twin.config.n_layer):
            rows = bank_rows(twin.config, layer)
            for bank, row in (rows.q, rows.v):
                banks[bank][row] += adapter.b[bank][layer] @ adapter.a[bank][layer]
        logits = torch.func.functional_call(engine._logits, {
            f"model.{k}": v for k, v in banks.items()}, (document[:, :-1],))  # fmt: skip
        n = len(new) if context else len(new) - 1
        log_p = torch.log_softmax(logits[0, -n:], -1)
        (-log_p[range(n), document[0, -n:]].mean()).backward()
        optimizer.step()
    for name, p in weights(adapter).items():
        torch.testing.assert_close(weights(engine.adapter)[name], p, atol=1e-12, rtol=0)


@pytest.mark.parametrize("engine", sorted(ENGINES))
def test_the_ledger_shows_scores_before_updates(
    engine: str, artifact: Path, tmp_path: Path, run_native: Callable[..., Run]
) -> None:
    """Weights move in updates only, each after the scores of what it learns from."""
    folder = tmp_path / "submission"
    folder.mkdir()
    (folder / "weights.bin").write_bytes(artifact.read_bytes())
    settings = {"seq_len": 32, "stride": 16, "chunk_tokens": 192}
    native = {"protocol": 1, "artifact": "weights.bin", "engine": {"name": engine}}
    manifest = {"harness": native | {"settings": settings}}
    (folder / "submission.json").write_text(json.dumps(manifest))

    ledger = run_native(folder).ledger

    assert ledger.used_unscored == []
    assert (ledger.times_scored[1:] == 1).all()
    assert len(ledger.updates) == 3  # 640 tokens in chunks of 192; never after the last
    now = ledger.scores[0].weights_before
    for event in ledger.events:
        if isinstance(event, Score):
            assert event.weights_before == event.weights_after == now
            assert event.inference_mode and not event.grad_mode
        elif isinstance(event, Update):
            assert event.weights_before == now
            assert (event.weights_after == now) == (engine == "sliding_window")
            now = event.weights_after
