"""Unit steps against the continuous limit: the laws of the page, and its figure."""

import io
import math

import numpy as np
import pytest

from companion.pages import stepsize


@pytest.mark.parametrize("beta", [0.5, 1.5])
def test_lazy_gap_follows_its_law(beta):
    gaps = [stepsize.without_noise(1.5, beta, 0.0, eta, 200.0) for eta in (0.1, 0.2, 0.4)]
    for gap in gaps:
        # Corrections to the law are of relative order eta/tau and of the discreteness of the first modes.
        assert gap.at(100.0) == pytest.approx(stepsize.lazy_law(beta, gap.eta, 100.0), rel=0.02)
        assert gap.stable.all()
    assert -stepsize.power_in_eta(gaps, 50.0).exponent == pytest.approx(1.0, abs=0.02)
    assert -stepsize.power_in_time(gaps[0], 40.0).exponent == pytest.approx(-1.0, abs=0.02)


def test_edge_of_stability_ends_the_agreement():
    gap = stepsize.without_noise(1.5, 0.5, 1.0, 0.4, 300.0)
    edge = int(np.count_nonzero(gap.stable))
    assert 0 < edge < gap.time.size
    assert np.abs(gap.gap[:edge]).max() < 0.1 < np.abs(gap.gap[edge:]).max()
    diverged = stepsize.without_noise(1.5, 0.5, 50.0, 1.5, 300.0)
    assert np.isinf(diverged.gap).all()


def test_lazy_noise_leaves_a_constant():
    gap = stepsize.with_noise(1.5, 0.5, 0.0, 0.4, 16, 50.0)
    expected = stepsize.noise_law(1.5, 0.4, 16) + stepsize.lazy_law(0.5, 0.4, 50.0)
    # 3e-4: the transient of the noise, eta/B t^-0.83 beside the loss t^-0.5.
    assert gap.gap[-1] == pytest.approx(expected, abs=3e-4)
    assert stepsize.noise_law(1.5, 1e-3, 16) < 1e-6


def test_figure_draws():
    gap = stepsize.without_noise(1.5, 0.5, 0.0, 0.4, 50.0)
    figure = stepsize.gap_figure({"one": [gap], "two": [gap]})
    figure.savefig(io.BytesIO(), format="png")
    assert figure.axes[1].get_xlabel() and not math.isnan(gap.at(10.0))
