"""A step's parts, in one process: what each switch of a recipe does to the weights."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from reference_model.batches import Batches
from reference_model.presets import NANO, Averaging, LateQuantization
from reference_model.quantize import quantize
from reference_model.ranks import Ranks
from reference_model.train import _finished, _source
from reference_model.trainer import Trainer

TOKENS = np.random.default_rng(0).integers(0, 1024, 20_000).astype(np.uint16)


def trainer(**changes) -> Trainer:
    preset = replace(NANO, **changes)
    source = Batches(TOKENS, preset.batch_size, preset.config.seq_len, seed=0)
    return Trainer(preset, source, 0, Ranks(0, 1, torch.device("cpu")))


def after(n_steps: int, **changes) -> dict[str, torch.Tensor]:
    run = trainer(**changes)
    for _ in range(n_steps):
        run.train_step()
    run.windows.close()
    return {name: p.detach().clone() for name, p in run.model.named_parameters()}


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(a[name], b[name]) for name in a)


def test_a_seed_gives_the_same_bits():
    assert same(after(3), after(3))


@pytest.mark.parametrize("micro_windows", [1, 2, 3])
def test_micro_batches_do_not_change_a_step(micro_windows):
    """However many windows go through at once, an uneven rest too: the same mean gradient."""
    whole, cut = after(3), after(3, micro_windows=micro_windows)

    for name, weight in whole.items():
        torch.testing.assert_close(cut[name], weight, rtol=1e-3, atol=1e-4)


def test_warming_up_leaves_no_trace():
    """The discarded steps change neither weights nor averages nor optimiser state nor windows."""
    run = trainer(discarded_steps=3, averaging=Averaging("ema", 0.9, swa_every=1, swa_below=2.0))
    run.warm_up()
    assert run.step == 0 and run.swa.n_samples == 0
    for _ in range(3):
        run.train_step()
    run.windows.close()

    assert same(after(3), dict(run.model.named_parameters()))


def test_late_rounding_acts_when_its_time_comes():
    """Earlier steps are untouched by it, those on the way up too; weights stay off the grid."""
    n_steps = NANO.n_steps
    low = LateQuantization(qat_below=0.5)
    late = n_steps - 6  # the warmdown takes 12 steps: the scale is 0.5 here, and falls

    assert same(after(late, late=low), after(late))
    with_qat, without = after(n_steps, late=low), after(n_steps)
    assert not same(with_qat, without)
    bank = with_qat["mlp_up_bank"]
    assert (quantize(bank, 6, (1.0,)).dequantize() - bank).abs().max() > 1e-4


def test_the_crown_penalty_acts_when_its_time_comes():
    """It changes late steps only, and draws the rows' largest magnitudes in."""
    crown = LateQuantization(crown_weight=3e4, crown_below=0.5)
    early = NANO.n_steps - 6
    without, with_crown = after(NANO.n_steps), after(NANO.n_steps, late=crown)

    assert same(after(early, late=crown), after(early))
    largest = [w["mlp_up_bank"].abs().amax(-1).mean() for w in (with_crown, without)]
    assert largest[0] < largest[1]


@pytest.mark.parametrize("of", ["weights", "ema"])
def test_swa_ships_the_mean_of_its_samples(of):
    averaging = Averaging("swa", ema_decay=0.9, swa_every=2, swa_below=2.0, swa_of=of)
    run, samples = trainer(averaging=averaging), []
    for step in range(1, 7):
        run.train_step()
        if step % 2 == 0:
            sample = run.ema.weights["kv_bank"] if of == "ema" else run.model.kv_bank
            samples.append(sample.detach().clone())
    run.windows.close()

    torch.testing.assert_close(run.shipped_weights()["kv_bank"], torch.stack(samples).mean(0))


def test_without_a_sample_the_last_weights_are_shipped():
    run = trainer(averaging=Averaging("swa", swa_every=50))
    run.train_step()
    run.windows.close()

    assert torch.equal(run.shipped_weights()["kv_bank"], run.model.kv_bank)


def test_a_budget_of_seconds_ends_the_run_and_keeps_some_for_rounding():
    """Steps may take the budget less what calibration is promised, on the run's own clock."""
    run = trainer(budget_s=600.0, calibration_s=20.0)
    assert not _finished(run)
    run.clock._before = 579.9
    assert not _finished(run)
    run.train_step()
    assert 0 < run.warmdown < 1e-2
    run.clock._before = 580.0
    run.windows.close()

    assert _finished(run)


def test_a_checkpoint_carries_everything(tmp_path):
    """Weights, momenta, averages, samples and seconds: the next steps are the same."""
    averaging = Averaging("swa", ema_decay=0.9, swa_every=2, swa_below=2.0)
    first, second = trainer(averaging=averaging), trainer(averaging=averaging)
    first.clock.start()
    for _ in range(3):
        first.train_step()
    first.save(tmp_path / "checkpoint.pt")
    second.load(tmp_path / "checkpoint.pt")
    assert second.step == 3 and 0 < second.clock.seconds <= first.clock.seconds
    for run in (first, second):
        for _ in range(3):
            run.train_step()
        run.windows.close()

    assert same(first.shipped_weights(), second.shipped_weights())
    assert same(first.ema.weights, second.ema.weights)


def test_a_recipe_reads_in_order_or_shuffled(small_data):
    """Each from the data folder's shards."""
    config = replace(NANO.config, vocab_size=small_data.vocab_size)
    preset = replace(NANO, config=config, batch_size=8, reads="in order")
    inputs, _ = _source(preset, small_data, seed=0).at(0)

    assert torch.equal(inputs[0], torch.from_numpy(small_data.train_tokens()[:64].astype(np.int64)))
    shuffled, _ = _source(replace(preset, reads="shuffled"), small_data, seed=0).at(0)
    assert not torch.equal(shuffled, inputs)
