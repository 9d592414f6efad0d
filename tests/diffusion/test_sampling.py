"""Noise levels and sampler against closed forms."""

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from neural_scaling.data.digits.denoiser import Denoiser, Shape
from neural_scaling.data.digits.noise import NoiseSchedule
from neural_scaling.data.digits.objective import denoising_loss
from neural_scaling.data.digits.sampler import guided, sample
from neural_scaling.data.digits.sizes import CLASSES

KINDS = st.sampled_from(["cosine", "linear"])


def normal(seed, *shape):
    random = np.random.default_rng(seed)
    return lambda: torch.from_numpy(random.standard_normal(shape))


def exact(schedule, mean, variance):
    """The best prediction of the velocity for images that are normal with this mean and variance."""

    def predict(x, level):
        signal = schedule.signal[level]
        # Posterior mean of x_0 given x_t = sqrt(signal) x_0 + sqrt(1 - signal) z, and of z.
        gain = math.sqrt(signal) * variance / (signal * variance + 1 - signal)
        image = mean + gain * (x - math.sqrt(signal) * mean)
        return (math.sqrt(signal) * x - image) / math.sqrt(1 - signal)

    return predict


@pytest.mark.slow
@given(kind=KINDS, levels=st.integers(2, 600))
def test_signal_and_noise_add_up_to_one_at_every_level(kind, levels):
    schedule = NoiseSchedule.named(kind, levels)
    variance, product = 0.0, 1.0
    for beta, signal in zip(schedule.beta, schedule.signal[1:], strict=True):
        variance, product = (1 - beta) * variance + beta, product * (1 - beta)
        assert variance + product == pytest.approx(1, abs=1e-12)
        assert signal == pytest.approx(product, rel=1e-12)
    assert np.all(np.diff(schedule.signal) < 0)
    assert schedule.signal[0] == 1 and schedule.signal[-1] > 0


def test_the_linear_schedule_is_that_of_the_source_of_the_papers_images():
    schedule = NoiseSchedule.named("linear", 400)
    assert schedule.beta[-1] == pytest.approx(0.02, rel=1e-12)
    assert np.ptp(np.diff(schedule.beta)) < 1e-15
    # Sum of log(1 - beta) by hand: -(mean of beta) T - (mean of beta^2) T / 2 - ...; its end still shows the image.
    assert schedule.signal[-1] == pytest.approx(math.exp(np.log1p(-schedule.beta).sum()), rel=1e-12)
    assert 0.01 < schedule.signal[-1] < 0.02


def test_the_cosine_schedule_ends_in_noise_and_is_half_signal_in_the_middle():
    schedule = NoiseSchedule.named("cosine", 400)
    assert schedule.signal[-1] < 1e-5
    assert schedule.signal[200] == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize("kind", ["cosine", "linear"])
def test_steps_of_noise_lead_to_the_closed_form(kind):
    schedule, n = NoiseSchedule.named(kind, 30), 200_000
    random = np.random.default_rng(0)
    x, start = np.full(n, 0.7), 0.7
    for level, beta in enumerate(schedule.beta, 1):
        x = math.sqrt(1 - beta) * x + math.sqrt(beta) * random.standard_normal(n)
        signal = schedule.signal[level]
        # Five standard errors of mean and of variance.
        assert x.mean() == pytest.approx(math.sqrt(signal) * start, abs=5 * math.sqrt((1 - signal) / n))
        assert x.var() == pytest.approx(1 - signal, rel=5 * math.sqrt(2 / n))


@given(levels=st.integers(2, 500), data=st.data())
def test_visited_levels_fall_from_noise_to_the_image(levels, data):
    steps = data.draw(st.integers(1, levels))
    visited = NoiseSchedule.named("cosine", levels).visited(steps)
    assert len(visited) == steps + 1
    assert visited[0] == levels and visited[-1] == 0
    assert all(t > s for t, s in itertools.pairwise(visited))


def test_all_levels_with_full_churn_are_ancestral_sampling():
    schedule = NoiseSchedule.named("linear", 50)
    predict = exact(schedule, 0.3, 0.5)
    got = sample(predict, schedule, normal(1, 64), 50, churn=1.0)

    noise = normal(1, 64)
    x, signal = noise(), schedule.signal
    for t in range(50, 0, -1):
        beta, before = schedule.beta[t - 1], signal[t - 1]
        velocity = predict(x, t)
        image = math.sqrt(signal[t]) * x - math.sqrt(1 - signal[t]) * velocity
        # Mean and variance of x_(t-1) given x_t and x_0, in the usual form.
        mean = (math.sqrt(before) * beta * image + math.sqrt(1 - beta) * (1 - before) * x) / (1 - signal[t])
        variance = beta * (1 - before) / (1 - signal[t])
        x = mean + math.sqrt(variance) * noise() if t > 1 else mean
    torch.testing.assert_close(got, x, rtol=1e-9, atol=1e-9)


def test_without_churn_only_the_start_is_random_and_the_map_is_the_known_product():
    schedule, variance = NoiseSchedule.named("cosine", 40), 0.25
    draws = []

    def noise():
        draws.append(0)
        return torch.linspace(-2, 2, 9, dtype=torch.float64)

    got = sample(exact(schedule, 0.0, variance), schedule, noise, 8, churn=0.0)
    # With centred normal images every step multiplies x by a number.
    signal, factor = schedule.signal, 1.0
    visited = schedule.visited(8)
    for t, s in itertools.pairwise(visited):
        total = signal[t] * variance + 1 - signal[t]
        factor *= (math.sqrt(signal[s] * signal[t]) * variance + math.sqrt((1 - signal[s]) * (1 - signal[t]))) / total
    torch.testing.assert_close(got, factor * noise(), rtol=1e-9, atol=0)
    assert len(draws) == 2


@pytest.mark.parametrize("churn", [0.0, 0.5, 1.0])
def test_an_exact_denoiser_of_normal_images_gives_them_back(churn):
    schedule, n, mean, variance = NoiseSchedule.named("cosine", 1000), 20_000, -0.6, 0.3
    x = sample(exact(schedule, mean, variance), schedule, normal(2, n), 1000, churn)
    assert float(x.mean()) == pytest.approx(mean, abs=5 * math.sqrt(variance / n))
    # Five standard errors, and the error of a thousand steps, which is of the order of a step.
    assert float(x.var()) == pytest.approx(variance, rel=5 * math.sqrt(2 / n) + 5e-3)


def test_the_error_of_the_variance_shrinks_with_the_number_of_steps():
    schedule = NoiseSchedule.named("cosine", 1000)
    errors = []
    for steps in (10, 40, 160):
        x = sample(exact(schedule, 0.0, 0.3), schedule, lambda: torch.ones(1, dtype=torch.float64), steps, churn=0.0)
        errors.append(abs(float(x) - math.sqrt(0.3)))
    # Of first order: a quarter each time, up to higher orders.
    assert errors[1] < 0.4 * errors[0] and errors[2] < 0.4 * errors[1]


def test_bounds_cut_the_predicted_image():
    schedule = NoiseSchedule.named("cosine", 20)
    x = sample(exact(schedule, 0.0, 4.0), schedule, normal(3, 500), 20, bounds=(-1.0, 1.0))
    assert float(x.abs().max()) <= 1


@pytest.fixture
def denoiser():
    torch.manual_seed(0)
    network = Denoiser(Shape(4)).eval()
    # The last layers start at zero, where nothing depends on anything.
    with torch.no_grad():
        for weight in network.parameters():
            weight.add_(0.1 * torch.randn(weight.shape))
    return network


def test_no_guidance_is_the_conditional_model(denoiser):
    x, label = torch.randn(6, 1, 28, 28), torch.arange(6)
    with torch.inference_mode():
        got = guided(denoiser, label, 0.0, 10)(x, 4)
        torch.testing.assert_close(got, denoiser(x, torch.full((6,), 0.4), label), rtol=0, atol=0)
        other = denoiser(x, torch.full((6,), 0.4), (label + 1) % CLASSES)
    assert not torch.allclose(got, other, atol=1e-3)


def test_guidance_moves_away_from_the_dropped_label(denoiser):
    x, label = torch.randn(6, 1, 28, 28), torch.arange(6)
    with torch.inference_mode():
        time = torch.full((6,), 0.4)
        conditional, without = denoiser(x, time, label), denoiser(x, time, torch.full((6,), CLASSES))
        got = guided(denoiser, label, 0.5, 10)(x, 4)
    # One batch of twelve against two of six: float32 sums in another order.
    torch.testing.assert_close(got, 1.5 * conditional - 0.5 * without, rtol=0, atol=1e-4)


def test_with_the_label_dropped_labels_do_not_matter(denoiser):
    x, schedule = torch.randn(6, 1, 28, 28), NoiseSchedule.named("cosine", 10)

    def loss(labels, dropped):
        with torch.inference_mode():
            return float(denoising_loss(denoiser, schedule, x, labels, dropped, np.random.default_rng(0)))

    some, none = torch.arange(6), torch.full((6,), CLASSES)
    losses = {dropped: [loss(labels, dropped) for labels in (some, none)] for dropped in (0.0, 1.0)}
    assert losses[1.0][0] == losses[1.0][1] == losses[0.0][1]
    assert losses[0.0][0] != losses[0.0][1]
