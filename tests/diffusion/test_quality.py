"""What is said about generated images, on data where the answer is known."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from companion.pages import mnist1m
from neural_scaling.base.checks import InputError
from neural_scaling.base.monitor import Monitor
from neural_scaling.data import entries
from neural_scaling.data.digits import runs as experiments
from neural_scaling.data.digits.classifier import classify
from neural_scaling.data.digits.quality import frechet_distance, grey_values, nearest, normal_digits
from neural_scaling.data.digits.quality_runs import QualityRun, _Set
from neural_scaling.data.digits.runs import trained_denoiser, trained_judge
from neural_scaling.data.digits.weights import digest
from neural_scaling.runs import obtain

pytestmark = pytest.mark.slow


def test_the_distance_of_normal_features_is_the_closed_form():
    random = np.random.default_rng(0)
    scales, shift = np.array([0.5, 1.0, 2.0]), np.array([0.3, 0.0, -1.0])
    one = random.standard_normal((100_000, 3))
    other = shift + scales * random.standard_normal((100_000, 3))
    # Independent coordinates: squared differences of means and of standard deviations. Errors are of the order 1 / sqrt(n).
    expected = float(shift @ shift + np.square(scales - 1).sum())
    assert frechet_distance(one, other) == pytest.approx(expected, rel=0.02)
    assert frechet_distance(one, one) == pytest.approx(0, abs=1e-9)
    # Rotating all features changes nothing.
    turn = np.linalg.qr(random.standard_normal((3, 3)))[0]
    assert frechet_distance(one @ turn, other @ turn) == pytest.approx(frechet_distance(one, other), rel=1e-9)


def test_the_distance_of_samples_of_one_distribution_falls_with_their_size():
    random = np.random.default_rng(1)
    few, many = (frechet_distance(*random.standard_normal((2, n, 8))) for n in (200, 20_000))
    assert 0 < many < 0.05 * few


def test_features_that_vanish_everywhere_do_no_harm():
    features = np.random.default_rng(2).standard_normal((50, 4)) * np.array([1, 1, 0, 0])
    assert frechet_distance(features[:25], features[25:]) >= 0


def pictures(count, seed):
    return np.random.default_rng(seed).integers(0, 256, (count, 28, 28, 1), dtype=np.uint8)


def test_nearest_images_are_those_of_a_plain_search(monkeypatch):
    from neural_scaling.data.digits import quality

    monkeypatch.setattr(quality, "_ROWS", 7)
    images, among = pictures(20, 0), pictures(33, 1)
    among[13] = images[4]
    found = nearest(images, among)
    table = np.square((images[:, None].astype(float) - among[None]) / 255).sum((2, 3, 4))
    np.testing.assert_array_equal(found.index, table.argmin(1))
    np.testing.assert_allclose(found.distance, np.sqrt(table.min(1)), rtol=1e-12)
    assert found.distance[4] == 0


def test_the_bad_imitation_has_the_moments_of_the_digits():
    random = np.random.default_rng(3)
    labels = np.arange(10, dtype=np.uint8).repeat(60)
    # Grey values far from both ends, so that nothing is cut.
    images = (100 + labels[:, None, None, None] + random.normal(0, 5, (600, 28, 28, 1))).astype(np.uint8)
    drawn, of = normal_digits(images, labels, 200, seed=0)
    assert drawn.shape == (2000, 28, 28, 1) and np.all(np.bincount(of) == 200)
    for label in range(10):
        assert drawn[of == label].mean() == pytest.approx(images[labels == label].mean(), abs=0.2)
        assert drawn[of == label].std() == pytest.approx(images[labels == label].std(), rel=0.05)


def test_grey_values_of_known_images():
    images = np.zeros((2, 28, 28, 1), np.uint8)
    images[1] = 255
    np.testing.assert_allclose(grey_values(images), [0.5, 0.5, 0.5, 0.5, 0.5])


@pytest.fixture
def judged(trained):
    obtain(experiments.JUDGE, experiments.WEIGHTS, "full")
    weights = digest(trained_denoiser("tiny").arrays), digest(trained_judge().arrays)
    return QualityRun("small", *weights, images=40, each=3, repeats=3, neighbours=30, seed=0)


def test_the_classifier_learns_blobs(judged):
    data = entries.MNIST.load()
    labels = classify(data.test.images, trained_judge().arrays).labels
    assert np.mean(labels == data.test.labels) > 0.9


def test_a_stopped_large_set_and_a_small_one_give_the_same_first_images(judged):
    small = judged.run(Monitor())
    large = replace(judged, size="large").run(Monitor())
    for name in ("first", "confusion", "frechet", "nearest generated"):
        np.testing.assert_array_equal(small[name], large[name])
    assert small["confusion"].sum() == 40 and small["confusion real"].sum() == 100
    assert small["sheet"].shape == (40, 28, 28, 1)
    assert judged.deviation(large, replace(judged, images=20, each=2, neighbours=10).run(Monitor())) == 0


def test_the_quality_of_real_images_passed_off_as_generated(judged, monkeypatch):
    data = entries.MNIST.load()

    def real(self, monitor):
        return {"images": data.train.images[:20], "labels": data.train.labels[:20]}

    monkeypatch.setattr(experiments.ShardRun, "run", real)
    arrays = judged.run(Monitor())
    # Copies of training images are found out by their neighbours ...
    assert np.all(arrays["nearest generated"] == 0) and arrays["closer"][0] == 30
    assert arrays["nearest is training"].tolist() == [30, 300, 100]
    # ... and show what they are said to show.
    result = SimpleNamespace(arrays=arrays)
    read = mnist1m.accuracies(result)
    assert read.accuracy[0] > 0.9
    plan = mnist1m.Plan("small", 40, 3, 3, 30, 0)
    copied = mnist1m.copies(plan, result)
    assert copied.value == 1
    assert set(verdicts(plan, result)) == {"mnist1m.labels", "mnist1m.new"}
    assert verdicts(plan, result)["mnist1m.new"] == "not confirmed"
    assert list(mnist1m.grey_values(result).images) == ["generated", "real test", "real training"]
    assert mnist1m.counts(result).drawn.sum() == 40
    new = mnist1m.novelty(plan, result, copied)
    assert new.value.iloc[0] == 0 and new.value.iloc[[2, 4]].tolist() == [30, 1]
    assert list(mnist1m.distances(result).images[:1]) == ["real test images"]


def verdicts(plan, result):
    found = mnist1m.claims(plan, result, mnist1m.accuracies(result), mnist1m.copies(plan, result))
    return {claim.id: claim.verdict for claim in found}


def test_generated_images_are_like_real_ones_if_no_further_from_test_images_than_training_images(judged):
    arrays = judged.run(Monitor())
    plan = mnist1m.Plan("reduced", 40, 3, 3, 30, 0, scale="reduced")
    generator = np.random.default_rng(0)
    training, bad = 1 + 0.002 * generator.standard_normal(20), np.full(20, 50.0)
    for factor, verdict in ((1.01, "confirmed"), (3.0, "not confirmed")):
        result = SimpleNamespace(
            arrays=arrays | {"frechet": np.stack([training, training, factor * training[::-1], bad])}
        )
        assert verdicts(plan, result)["mnist1m.distribution"] == verdict
        times = mnist1m.beyond_training(result)
        assert times.value == pytest.approx(factor, rel=0.01)
        spread = (factor * training[::-1] / training).std(ddof=1)
        assert np.diff(times.interval)[0] / 2 == pytest.approx(1.96 * spread, rel=1e-3)
        assert mnist1m.way_to_bad(result).value == pytest.approx((factor - 1) / 49, rel=0.05)


def test_images_are_chosen_in_random_order():
    # In MNIST the test images stand by writers, so that halves of a choice in the order on disk are of two kinds.
    labels = np.repeat(np.arange(10, dtype=np.uint8), 100)
    chosen = _Set(np.arange(1000), labels).chosen(60, np.random.default_rng(0))
    assert chosen.shape == (10, 60)
    for label, row in enumerate(chosen):
        assert np.unique(row).size == 60 and np.all(row // 100 == label)
    # Halves are choices of the same kind: 60 of 100 numbers, standard error of the difference of means sqrt(2/300) * 29 = 2.4
    first, second = np.split(chosen % 100, 2, axis=1)
    assert abs(first.mean() - second.mean()) < 4 * 2.4


def test_figures_are_drawn_with_and_without_real_images(judged, trained):
    from neural_scaling import data as datasets

    result = SimpleNamespace(arrays=judged.run(Monitor()))
    real = datasets.load("mnist")
    for figure, panels in (
        (mnist1m.sheet_figure(result, real), 2),
        (mnist1m.sheet_figure(result, None), 1),
        (mnist1m.neighbours_figure(result, real), 3),
        (mnist1m.neighbours_figure(result, None), 2),
        (mnist1m.distance_figure(result), 1),
        (mnist1m.loss_figure(trained_denoiser("tiny")), 1),
    ):
        assert len(figure.axes) == panels
        assert figure.svg().startswith("<?xml")


def test_the_plan_makes_the_run_for_the_weights_that_are_there(judged):
    plan = mnist1m.Plan("small", 40, 3, 3, 30, 0)
    assert plan.experiments() == [judged]


@pytest.mark.parametrize(
    ("change", "argument"),
    [
        ({"images": 45}, "images"),
        ({"images": 400}, "images"),
        ({"each": 5}, "images"),
        ({"each": 1}, "each"),
        ({"neighbours": 50}, "images"),
        ({"neighbours": 15}, "neighbours"),
        ({"size": "huge"}, "size"),
        ({"weights": "0" * 16}, "weights"),
        ({"judge": "0" * 16}, "judge"),
    ],
)
def test_bad_settings_are_refused_by_name(judged, change, argument):
    with pytest.raises(InputError, match=rf"^{argument}: "):
        replace(judged, **change).run(Monitor())


def test_intervals_of_shares_are_those_of_wilson():
    found = mnist1m.share(81, 263)  # 0.3080; a textbook example: 0.2553 to 0.3662
    assert (found.value, *found.interval) == pytest.approx((0.30798, 0.25529, 0.36621), abs=1e-4)
    assert (mnist1m.share(0, 10).interval[0], mnist1m.share(10, 10).interval[1]) == pytest.approx((0, 1), abs=1e-12)


def test_every_size_of_the_book_stands_in_the_table():
    table = mnist1m.settings()
    assert list(table) == ["setting", "small", "reduced", "full"] and table.full[0] == "1 000 000"
