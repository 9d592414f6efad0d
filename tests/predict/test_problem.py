"""Every start gives one result, whose numbers follow the schema; bad input is one clear error."""

import importlib.resources
import json
import math
from dataclasses import replace
from statistics import NormalDist

import jsonschema
import numpy as np
import pytest
import torch

from neural_scaling.base.checks import InputError
from neural_scaling.dmft import kernel_flow
from neural_scaling.networks.image_kernel import decompose
from neural_scaling.predict import Options, from_curves, from_kernel, from_network, from_spectrum, save_report
from neural_scaling.predict.mean_field_scaling import Centred, mean_field_start
from neural_scaling.predict.problem import _pairs
from neural_scaling.predict.report import sentences
from neural_scaling.spectra import PowerLaw
from predict.problems import kernel_of

RUN = np.repeat(np.arange(6), 8)
FAST = Options(draws=8, store=False)
MODES = np.arange(1.0, 301)
SCHEMA = json.loads(importlib.resources.files("neural_scaling.predict").joinpath("prediction.schema.json").read_text())


class Pairs(torch.utils.data.Dataset):
    """Inputs and targets as they are."""

    def __init__(self, inputs, targets):
        self.inputs, self.targets = inputs, targets

    def __len__(self):
        return len(self.inputs)

    def __getitem__(self, index):
        return self.inputs[index], self.targets[index]


def valid(prediction):
    """Return the numbers of a prediction after holding them against the schema."""
    found = json.loads(prediction.to_json())
    jsonschema.Draft202012Validator(SCHEMA).validate(found)
    return found


@pytest.fixture(scope="module")
def spectrum():
    law = PowerLaw(1.5, 0.5, 200).spectrum()
    values = np.append(law.eigenvalues[::-1], [0.0, -1e-15])
    return from_spectrum(values, np.append(law.target[::-1], [1.0, 1.0]), options=FAST)


def test_a_spectrum_in_any_order_with_zeros(spectrum):
    assert spectrum.capacity.value == pytest.approx(1.5) and spectrum.source.value == pytest.approx(0.5, abs=0.01)
    assert spectrum.difficulty == "hard" and spectrum.hard > 0.99
    assert any("left out" in words for words in spectrum.warnings)
    assert valid(spectrum)["origin"] == "spectrum"


def test_exponents_in_a_range_of_times(spectrum):
    found = spectrum.exponent(3, 300, rich=False)
    assert found.low < 0.5 < found.high and found.window == (3, 300)
    assert spectrum.exponent(3, 300).value > found.value
    with pytest.raises(InputError, match="window"):
        spectrum.exponent(300, 3)


def test_what_rests_on_the_tail_is_told(spectrum):
    assert spectrum.tail_time == spectrum.lazy.rests_on_tail(0.5) > spectrum.lazy.rests_on_tail(0.1)
    assert spectrum.lazy.rests_on_tail(1.0) is None


def test_the_edge_is_where_the_sharpness_says(spectrum):
    assert spectrum.edge is not None
    before = spectrum.rich.sharpness[spectrum.rich.time < spectrum.edge]
    assert np.all(spectrum.eta * before < 2)
    assert spectrum.largest_eta.value == pytest.approx(2 / spectrum.rich.sharpness[-1])


def test_units_do_not_matter(spectrum):
    law = PowerLaw(1.5, 0.5, 200).spectrum()
    scaled = from_spectrum(7 * law.eigenvalues, 3 * law.target, options=FAST)
    np.testing.assert_allclose(scaled.rich.loss / 63, spectrum.rich.loss, rtol=1e-5)
    np.testing.assert_allclose(scaled.rich.time * 7, spectrum.rich.time, rtol=1e-10)


@pytest.mark.slow
def test_a_kernel_with_test_samples_has_both_bounds():
    law, random = PowerLaw(1.5, 0.8), np.random.default_rng(0)
    kernel, targets = kernel_of(law, 400, random)
    found = from_kernel(
        kernel[:300, :300], targets[:300], across=kernel[300:, :300], test_targets=targets[300:], options=FAST
    )
    assert found.bounds is not None
    late = found.lazy.time > 100
    assert np.all(found.bounds.train[late] < found.bounds.test[late])
    assert found.bounds.source_train.value > found.bounds.source_test.value
    valid(found)


@pytest.mark.slow
def test_labels_are_outputs_less_their_mean():
    law, random = PowerLaw(1.5, 0.8), np.random.default_rng(1)
    kernel, targets = kernel_of(law, 300, random)
    labels = (targets > 0).astype(int)
    one_hot = np.eye(2)[labels]
    both = from_kernel(kernel, labels, options=FAST), from_kernel(kernel, one_hot - one_hot.mean(0), options=FAST)
    assert both[0].source == both[1].source


@pytest.mark.slow
@pytest.mark.parametrize("as_dataset", [False, True])
def test_a_network_is_its_tangent_kernel(as_dataset, monkeypatch, tmp_path):
    monkeypatch.setenv("NEURAL_SCALING_CACHE", str(tmp_path))
    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Linear(5, 64), torch.nn.Tanh(), torch.nn.Linear(64, 1))
    inputs = torch.randn(150, 5)
    targets = torch.sin(3 * inputs[:, :1])
    given = (torch.utils.data.TensorDataset(inputs, targets),) if as_dataset else (inputs, targets)
    found = from_network(network, *given, options=FAST)
    assert found.origin == "network" and found.estimate.samples == 150 and found.gamma0 is None
    valid(found)
    assert any("no exact relation to the gamma_0 of a network is known" in words for words in sentences(found))


@pytest.mark.parametrize("as_dataset", [False, True])
def test_of_sorted_data_every_part_is_used(as_dataset):
    values = torch.arange(1000.0)[:, None]
    given = (torch.utils.data.TensorDataset(values, values), None) if as_dataset else (values, values)
    inputs, targets = _pairs(*given, 100, "data")
    assert np.array_equal(inputs, targets) and len(np.unique(inputs)) == 100
    assert np.histogram(inputs, 4, (0, 1000))[0].min() >= 15  # 25 each on average, with a deviation of 4


@pytest.mark.slow
def test_the_richness_of_a_network_is_told_and_can_be_taken_for_that_of_the_theory(monkeypatch, tmp_path):
    """Units do not depend on the richness at which a network is made; and gamma is its square, by wish."""
    monkeypatch.setenv("NEURAL_SCALING_CACHE", str(tmp_path))
    torch.manual_seed(0)
    network = mean_field_start(torch.nn.Sequential(torch.nn.Linear(5, 64), torch.nn.Tanh(), torch.nn.Linear(64, 1)))
    inputs = torch.randn(150, 5)
    targets = torch.sin(3 * inputs[:, :1])
    assumed = replace(FAST, gamma0=0.5)
    plain = from_network(network, inputs, targets, options=assumed)
    centred = from_network(Centred(network, 0.5), inputs, targets, options=assumed)
    assert plain.gamma == centred.gamma == 0.25
    assert centred.richness == pytest.approx(plain.richness, rel=1e-4)  # gradients are in float32
    assert centred.gamma0 == plain.gamma0 == 0.5 and valid(centred)["richness_from"] == "gamma0"
    assert any("the square of gamma_0 = 0.5" in words for words in sentences(centred))
    by_hand = from_network(Centred(network, 0.5), inputs, targets, options=replace(FAST, richness=3.0))
    assert by_hand.gamma0 == 0.5 and by_hand.richness == pytest.approx(3.0) and by_hand.richness_from == "richness"
    assert any("no exact relation to the gamma_0 of a network, here 0.5, is known" in one for one in sentences(by_hand))
    with pytest.raises(InputError, match=r"^gamma0: got 1.0 for a network that is centred with richness 0.5; give 0.5"):
        from_network(Centred(network, 0.5), inputs, targets, options=replace(FAST, gamma0=1.0))


def test_the_first_mode_of_the_window_is_passed_on():
    kernel, targets = kernel_of(PowerLaw(1.5, 0.8), 200, np.random.default_rng(1), modes=500)
    assert from_kernel(kernel, targets, first=5, options=FAST).capacity.window[0] == 5
    with pytest.raises(InputError, match="first: "):
        from_kernel(kernel, targets, first=1)


def test_one_curve_alone_tells_its_exponent():
    time = np.geomspace(10, 1e4, 40)
    found = from_curves(time, 3 * time**-0.4)
    assert found.source.value == pytest.approx(0.25)  # chi = 2 beta / (1 + beta)
    assert from_curves(time, 3 * time**-0.4, law="lazy").source.value == pytest.approx(0.4)
    assert found.capacity is None and found.difficulty == "hard"
    valid(found)
    with pytest.raises(InputError, match="budgets: curves of one size tell of no best size; leave them out"):
        from_curves(time, 3 * time**-0.4, options=Options(budgets=[1e3]))
    with pytest.raises(InputError, match="rich: a prediction from curves"):
        found.exponent(10, 100)


@pytest.mark.slow
@pytest.mark.parametrize("chi", [0.4, 1.2])
@pytest.mark.parametrize(("floor", "together"), [(0.0, 0.0), (0.3, 0.0), (0.3, 0.8)])
def test_the_interval_of_one_curve_holds_the_exponent_above_a_floor(chi, floor, together):
    """For 95 % of noises, 87 of 100 or fewer come by chance once in a thousand times; noise that goes together costs more."""
    random, time = np.random.default_rng(0), np.geomspace(1, 1e4, 80)
    held = 0
    for _ in range(100):
        noise = random.standard_normal(time.size)
        for k in range(1, time.size):
            noise[k] = together * noise[k - 1] + math.sqrt(1 - together**2) * noise[k]
        found = from_curves(time, (2 * (time / 100) ** -chi + floor) * np.exp(0.02 * noise), law="lazy")
        held += found.source.low <= chi <= found.source.high
    assert held > (84 if together else 87)


def test_runs_with_a_common_floor_have_it_in_their_mean():
    """Sums of powers with a floor are powers with that floor, products are not."""
    time = np.geomspace(1, 1e4, 90)
    loss = np.concatenate([scale * time**-0.4 + 0.3 for scale in (0.2, 3.0)])
    fit = from_curves(np.tile(time, 2), loss, run=np.repeat([0, 1], 90), law="lazy").curves.fit
    assert (fit.exponent, fit.offset, fit.prefactor) == pytest.approx((0.4, 0.3, 1.6), rel=1e-6)


def test_what_is_said_of_curves_that_bend_on():
    """Sources of curves of learned features to t = 1e3 are off by less than an eighth, as the docstring says."""
    time = np.geomspace(1, 1e3, 80)
    sources = (0.3, 0.5, 0.8, 0.9, 0.95, 1.0, 1.3)
    found = {beta: from_curves(time, kernel_flow(PowerLaw(1.5, beta), 1.0, time).loss) for beta in sources}
    off = [abs(one.source.value / beta - 1) for beta, one in found.items()]
    assert 0.05 < max(off) < 1 / 8 and found[0.95].hard < 0.5
    assert all("compare later windows" in one.warnings[0] for one in found.values())


@pytest.mark.slow
def test_a_floor_is_rarely_seen_where_there_is_none():
    """The limit lets one of forty through: more than 12 of 200 come by chance once in a thousand times."""
    random, time = np.random.default_rng(0), np.geomspace(1, 1e4, 80)
    noises = np.exp(0.02 * random.standard_normal((200, time.size)))
    assert sum(from_curves(time, time**-0.4 * noise).curves.fit.offset > 0 for noise in noises) <= 12


@pytest.mark.slow
def test_runs_that_differ_widen_the_interval():
    random, time = np.random.default_rng(0), np.geomspace(1, 1e4, 40)
    held = 0
    for _ in range(100):
        slopes = 0.4 + 0.05 * random.standard_normal(3)
        loss = time ** -slopes[:, None] * np.exp(0.005 * random.standard_normal((3, time.size)))
        found = from_curves(np.tile(time, 3), loss.ravel(), run=np.repeat(np.arange(3), time.size), law="lazy")
        held += found.source.low <= 0.4 <= found.source.high
    assert held > 87  # as above


def test_every_step_of_a_long_noisy_curve_counts():
    steps = np.arange(1.0, 5001)
    loss = (steps**-0.4 + 0.2) * (1 + 0.1 * np.random.default_rng(0).standard_normal(steps.size))
    fit = from_curves(steps, loss, law="lazy").curves.fit
    assert fit.interval[0] < 0.4 < fit.interval[1] and fit.offset_interval[0] < 0.2 < fit.offset_interval[1]
    assert fit.offset_interval[0] > 0 and fit.interval[1] - fit.interval[0] < 0.4


def test_the_probability_of_one_curve_is_that_of_its_exponent():
    time = np.geomspace(1, 1e4, 80)
    found = from_curves(time, time**-0.99 * np.exp(0.02 * np.random.default_rng(0).standard_normal(80)))
    fit = found.curves.fit
    side = fit.interval[1] - fit.exponent if fit.exponent < 1 else fit.exponent - fit.interval[0]
    assert found.hard == pytest.approx(NormalDist(fit.exponent, side / 1.96).cdf(1), abs=1e-3)


def test_one_curve_says_what_it_knows_of_a_floor():
    time = np.geomspace(1, 1e4, 80)
    noise = 1 + 0.02 * (-1.0) ** np.arange(time.size)
    found = from_curves(time, (2 * time**-0.4 + 0.05) * noise)
    low, high = found.curves.fit.offset_interval
    assert low < 0.05 < high and "to a floor of" in sentences(found)[2]
    assert len(found.warnings) == 1 and "compare later windows" in found.warnings[0]
    valid(found)
    found = from_curves(time, 2 * time**-0.4 * noise)
    assert found.curves.fit.offset == 0 and "one of up to" in found.warnings[1]
    few = from_curves(time[::8], 2 * time[::8] ** -0.4 * noise[::8])
    assert "cannot be seen in 5 points" in few.warnings[2]
    steep = from_curves(time, np.exp(-time / 3000), law="lazy")  # its law has a floor above the last loss
    assert not any("inf" in words or "one of up to 0.4" in words for words in steep.warnings)
    assert from_curves(np.geomspace(1, 1e4, 6), np.geomspace(1, 1e4, 6) ** -0.4).curves.fit.points == 4
    flat = from_curves(time, (1e-3 * time**-0.4 + 1) * noise**0.1, law="lazy")  # any exponent would do
    assert flat.source.high == math.inf and flat.hard < 0.95


@pytest.mark.slow
def test_the_probability_of_a_hard_task_is_as_unsure_as_its_source():
    time, slopes = np.geomspace(10, 1e4, 30), np.arange(0.915, 1.02, 0.02)  # two standard errors below 1
    found = from_curves(np.tile(time, 6), (time ** -slopes[:, None]).ravel(), run=np.repeat(np.arange(6), 30))
    fit = found.curves.fit
    chances = [np.mean(draws < 1) for draws in (fit.draws("b"), fit.resampled[:, fit.names.index("b")])]
    assert found.hard == chances[0] < chances[1] < 1
    assert found.source.low < 1 < found.source.high


def test_a_report_is_written_whole_or_not_at_all(spectrum, tmp_path, monkeypatch):
    folder = save_report(spectrum, tmp_path / "report")
    names = {"report.html", "prediction.json", "curves.svg", "spectrum.svg", "sharpness.svg"}
    assert {one.name for one in folder.iterdir()} == names
    page = (folder / "report.html").read_text()
    assert "src=" not in page and "<script" not in page and "The task is hard" in page
    assert page.index("The task is hard") < page.index("<table") and "prefers-color-scheme: dark" in page
    monkeypatch.setattr(
        "neural_scaling.predict.report.write_atomically", lambda *rest: (_ for _ in ()).throw(OSError(28, "full"))
    )
    with pytest.raises(OSError, match="could not be written"):
        save_report(spectrum, folder)
    assert (folder / "report.html").read_text() == page
    assert [one.name for one in tmp_path.iterdir()] == ["report"]


def test_a_folder_of_other_files_is_left_alone(spectrum, tmp_path):
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(InputError, match=r"folder: .* holds"):
        save_report(spectrum, tmp_path)
    assert (tmp_path / "thesis.tex").read_text() == "mine"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: from_spectrum([1.0, 2.0], [1.0]), "coefficients: "),
        (lambda: from_kernel(np.ones((3, 2)), [1, 2, 3]), "kernel: "),
        (lambda: from_kernel(np.eye(200), np.ones(200), across=np.ones((2, 200))), "across: "),
        (lambda: from_curves([1, 2], [1, -1]), "loss: "),
        (lambda: from_curves([1, 2, 3], [3, 2, 1], [1, 2, 3]), "run: "),
        (lambda: from_curves(np.arange(1, 49), np.ones(48), RUN % 2 + 1, RUN), "size: has two"),
        (lambda: from_curves(np.full(48, 3), np.ones(48), RUN + 1, RUN), "data: has 1 different"),
        (
            lambda: from_curves(np.arange(1, 49), np.ones(48), np.arange(1, 49), RUN),
            "run: one run has points of several sizes",
        ),
        (lambda: from_curves(np.arange(1, 49), np.ones(48), RUN + 1, RUN, window=(9, 2)), "window: "),
        (
            lambda: from_curves(
                np.tile(np.arange(1, 9), 8), np.ones(64), np.repeat([1, 2, 3, 4], 16), np.arange(64) // 8 % 2
            ),
            "run: one run has points of several sizes",
        ),
        (
            lambda: from_curves(np.tile(np.arange(1, 41), 3), np.tile(np.arange(1.0, 41) ** -0.4, 3)),
            "data: one run has two losses at the same value",
        ),
        (lambda: from_curves(np.arange(1, 41), np.arange(1, 41) ** 0.4), "loss: it does not fall"),
        (lambda: from_spectrum(MODES**-1.5, MODES**-0.2, options=replace(FAST, until=0.01)), "until: "),
        (lambda: from_network(torch.nn.Linear(2, 1), np.ones((200, 2)), 3.0), "targets: "),
        (lambda: from_network(torch.nn.Linear(2, 1), Pairs([torch.ones(2), torch.ones(3)], [1, 2])), "data: "),
        (lambda: from_network(torch.nn.Linear(2, 1), Pairs([], [])), "data: "),
        (lambda: Options(richness=0), "richness: "),
        (lambda: Options(draws=2), "draws: "),
        (lambda: from_network(torch.nn.Linear(2, 1), np.ones((200, 2))), "data: "),
    ],
)
def test_bad_input_names_the_argument(call, message):
    with pytest.raises(InputError, match=f"^{message}.*; "):
        call()


def test_tensors_of_any_kind_are_data():
    inputs, targets = torch.randn(9, 3).bfloat16(), torch.randn(9, 1).bfloat16().requires_grad_()
    labels = torch.arange(9)
    for found in (_pairs(inputs, targets, 9, "data"), _pairs(Pairs(inputs, targets), None, 9, "data")):
        np.testing.assert_array_equal(found[0], inputs.double().numpy())
        np.testing.assert_array_equal(found[1], targets.detach().double().numpy())
    assert _pairs(Pairs(inputs, labels), None, 9, "data")[1].dtype == np.int64


def test_nothing_of_a_network_is_kept_that_should_not_be(monkeypatch, tmp_path):
    monkeypatch.setenv("NEURAL_SCALING_CACHE", str(tmp_path))
    monkeypatch.setattr("neural_scaling.predict.problem.estimate_kernel", lambda *rest: pytest.skip("kernel is there"))
    network, inputs = torch.nn.Linear(3, 1), torch.randn(120, 3)
    for store in (False, True):
        with pytest.raises(pytest.skip.Exception):
            from_network(network, inputs, inputs[:, :1], options=replace(FAST, store=store))
        assert (tmp_path / "tangent").is_dir() == store


def test_curves_of_unequal_length_and_curves_that_may_not_fall_are_told():
    time = np.geomspace(1, 1e4, 40)
    data, run = np.append(time, time[:25]), np.repeat([0, 1], [40, 25])
    found = from_curves(data, 3 * data**-0.4, run=run)
    assert found.source.window[1] == time[24]
    assert any("Only 25 of 40 values of the data were used" in words for words in found.warnings)
    assert not any("Only" in words for words in from_curves(time, time**-0.4).warnings)
    noisy = 3 - 1e-4 * np.log(time) + 0.1 * np.random.default_rng(0).standard_normal(40)
    words = from_curves(time, noisy * time**-0.005).warnings
    assert any("may not fall at all" in one for one in words)


def test_bounds_do_not_depend_on_the_unit_of_the_kernel():
    """With eigenvalues of 1e-13 times a thousandth the bounds are the same, at times that are longer by as much."""
    kernel, targets = kernel_of(PowerLaw(1.5, 0.8), 60, np.random.default_rng(0), modes=300)
    parts = kernel[:40, :40], targets[:40, None], kernel[40:, :40]
    time = np.geomspace(0.1, 1e5, 9)
    expected = decompose(*parts, 40).flow(targets[40:, None], time)
    small = decompose(1e-16 * parts[0], parts[1], 1e-16 * parts[2], 40).flow(targets[40:, None], 1e16 * time)
    np.testing.assert_allclose(small, expected, rtol=1e-8)


def test_budgets_have_no_least_unit():
    assert Options(budgets=[1e-7]).budgets == (1e-7,)
