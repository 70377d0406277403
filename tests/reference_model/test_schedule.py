import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference_model.presets import PRESETS
from reference_model.schedule import Schedule
from reference_model.stopwatch import Stopwatch

by_name = pytest.mark.parametrize("preset", PRESETS.values(), ids=lambda preset: preset.name)


@by_name
def test_the_rate_rises_stays_and_falls(preset):
    """By steps: never above the peak, never zero, and at the peak in between."""
    n, schedule = preset.n_steps, preset.schedule
    scales = [schedule.lr_scale(step) for step in range(n)]
    top = scales.index(1.0)

    assert min(scales) > 0 and max(scales) == 1.0
    assert scales[:top] == sorted(scales[:top])
    assert scales[top:] == sorted(scales[top:], reverse=True)
    assert scales[-1] == pytest.approx(1 / schedule.warmdown_steps)


def test_the_clock_decides_where_there_is_a_budget():
    """#549's rule: over the last 3,500 steps' worth of seconds the scale falls to zero."""
    schedule = PRESETS["record_549"].schedule
    step_s = 0.0834

    assert schedule.lr_scale(3_000, 3_000 * step_s, 600.0) == 1.0
    middle = 600.0 - 1_750 * step_s  # half of the warmdown is left
    assert schedule.lr_scale(round(middle / step_s), middle, 600.0) == pytest.approx(0.5, abs=1e-3)
    assert schedule.lr_scale(7_000, 600.0, 600.0) == 0.0
    assert schedule.lr_scale(7_000, 700.0, 600.0) == 0.0


@given(step_s=st.floats(0.01, 10), slower=st.floats(1, 20), share=st.floats(0.01, 0.99))
def test_a_slower_machine_cools_down_as_far(step_s, slower, share):
    """At the same share of the warmdown's seconds both have the same scale."""
    schedule = Schedule(10**9, 0, 100, 0.99, 0.92, 1_500)
    for one in (step_s, step_s * slower):
        budget_s = 1_000 * one
        elapsed_s = budget_s - share * 100 * one
        step = elapsed_s / one
        assert schedule.lr_scale(step, elapsed_s, budget_s) == pytest.approx(share, rel=1e-6)


def test_momentum_climbs():
    """0.92 to 0.99 over 1,500 steps, then it stays (#549)."""
    schedule = PRESETS["record_549"].schedule

    assert schedule.momentum_at(0) == pytest.approx(0.92)
    assert schedule.momentum_at(750) == pytest.approx(0.955)
    assert schedule.momentum_at(1_500) == schedule.momentum_at(9_000) == pytest.approx(0.99)
    assert PRESETS["tiny"].schedule.momentum_at(0) == 0.95


def test_fewer_steps_keep_the_course():
    preset = PRESETS["tiny"].with_steps(100)

    assert preset.n_steps == 100 and preset.schedule.warmdown_steps == 40


def test_a_stopped_watch_stands_still():
    """Seconds between stop and start do not count; those of an earlier process do."""
    watch = Stopwatch(100.0)
    assert watch.seconds == 100.0
    watch.start()
    watch.start()
    while watch.seconds == 100.0:
        pass
    watch.stop()
    stood = watch.seconds

    assert stood > 100.0 and watch.seconds == stood
