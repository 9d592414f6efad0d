"""Every kind of run offers its state often, and goes on from any to the same bits."""

import io

import numpy as np
import pytest

from neural_scaling.base.monitor import Monitor, paced
from runs.tiny_runs import classes, install, tiny_runs

CLASSES = {found.kind: found for found in classes()}


class Stopped(Exception):
    pass


class Watching(Monitor):
    """Counts units and safe points, stops at one of them, and begins from a state."""

    def __init__(self, stop=None, state=None):
        self.stop, self.state, self.units, self.points = stop, state, 0, 0

    def advance(self, units):
        self.units += units

    def safe_point(self, state):
        self.points += 1
        if self.points == self.stop:
            buffer = io.BytesIO()  # the way a checkpoint goes
            np.savez(buffer, allow_pickle=False, **state())
            buffer.seek(0)
            with np.load(buffer, allow_pickle=False) as archive:
                self.state = {name: archive[name] for name in archive.files}
            raise Stopped

    def restored(self):
        return self.state or None


@pytest.mark.slow
def test_every_class_has_a_row(monkeypatch):
    install(monkeypatch.setattr)
    rows = {kind: type(run) for kind, (run, _) in tiny_runs().items()}
    assert rows == CLASSES


@pytest.mark.long
@pytest.mark.parametrize("kind", sorted(CLASSES))
def test_a_run_goes_on_from_its_state_to_the_same_bits(kind, monkeypatch):
    install(monkeypatch.setattr)
    monkeypatch.setattr("neural_scaling.base.monitor._PACE", 1e9)  # the same portions every time
    run, least = tiny_runs()[kind]
    watching = Watching()
    whole = run.run(watching)
    assert watching.points >= least
    assert watching.units == run.work
    for stop in sorted({(watching.points + 1) // 2, watching.points}):
        stopping = Watching(stop)
        with pytest.raises(Stopped):
            run.run(stopping)
        going_on = Watching(state=stopping.state)
        again = run.run(going_on)
        assert stopping.units + going_on.units == run.work, stop
        assert set(again) == set(whole)
        for name, values in whole.items():
            np.testing.assert_array_equal(again[name], values, strict=True, err_msg=f"{name}, stopped at {stop}")


def test_portions_of_steps_last_about_a_second(monkeypatch):
    now = 0.0
    monkeypatch.setattr("neural_scaling.base.monitor.time.monotonic", lambda: now)
    portions = []
    for start, count in paced(3, 200, 32):
        assert start == 3 + sum(portions)
        portions.append(count)
        now += count * (0.01 if start < 40 else 1.5)  # a step that becomes dear
    assert portions == [1, 2, 4, 8, 16, 32, 32] + [1] * 102
