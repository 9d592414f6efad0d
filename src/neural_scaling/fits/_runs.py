"""Points of training runs, checked, and the search for the law that fits them: from many starts once, then for other weights."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from itertools import product
from typing import Any, ClassVar, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neural_scaling.base.arrays import ArrayValue
from neural_scaling.base.checks import array, choice, require, whole
from neural_scaling.fits._powers import FLOOR, LEAST_LOG, Form, Law, Optima, Points, minimise
from neural_scaling.fits.power_law import FloatArray
from neural_scaling.theory.loss_law import Version

#: Fewer runs say nothing of how runs differ.
FEWEST_RUNS = 6
#: Different sizes that a floor and a power need.
FEWEST_SIZES = 3
#: Folds of the runs that are left out in turn.
FOLDS = 20
#: Changes of log loss that numbers resolve.
RESOLVED = 1e-5
_LEVELS = {  # of the starts; floors over the lowest loss, the rest as logarithms over the typical one, and exponents
    FLOOR: (0.02, 0.25, 0.5, 0.75, 0.95),
    "power": (-5.0, -4.0, -3.0, -2.0, -1.0, 0.0),
    "term": (-5.0, -3.0, -1.0),
    "exponent": (0.05, 0.2, 0.5, 1.0, 2.0),
    "alpha": (1.05, 1.25, 1.5, 2.0, 3.0),
    "beta": (0.1, 0.3, 0.6, 1.2, 1.6, 2.5),
}
_FEWEST_RESAMPLES = 40  # 2.5 % of them is one
_KEPT = 2 / 3  # of the range in log N or log D, where the rest is to be predicted
_SCREENED = 300  # points at which all starts are looked at
_AGREE = 1e-6  # relative, in the sum that is minimised
_FEW = 8  # starts of each stretch
_ROUGH = 40  # rounds after which a search is given up that is far above the best
_HOPEFUL = 1.05  # times the best
_LIFTED = -5.0  # logarithm of a coefficient over the typical loss


@dataclass(frozen=True)
class Runs:
    """Checked points of a law; ``x`` holds logarithms of N, D and batch, shape (n, 3), ``run`` counts from 0."""

    form: Form
    x: FloatArray
    y: FloatArray
    run: NDArray[np.intp]

    @classmethod
    def checked(
        cls,
        N: ArrayLike,
        D: ArrayLike,
        L: ArrayLike,
        run: ArrayLike,
        laws: Sequence[Law],
        version: Version,
        batch: ArrayLike | None,
    ) -> list[Runs]:
        """Return the points for each law, with the batch for those alone that have a term for it, if one has."""
        laws = [choice(law, "law", get_args(Law)) for law in laws]
        version = choice(version, "version", get_args(Version))
        size = array(N, "N", above=0)
        data, value = (array(one, name, shape=size.shape, above=0) for one, name in ((D, "D"), (L, "L")))
        label = np.unique(array(run, "run", shape=size.shape, whole=True), return_inverse=True)[1]
        ones = np.ones(size.shape)
        batches = ones if batch is None else array(batch, "batch", shape=size.shape, above=0)
        noisy = [batch is not None and law in ("lazy", "rich") for law in laws]
        require(batch is None or any(noisy), "batch", f"{laws[0]!r} has no term for it", "leave it out")
        remedy = "give runs of two batches at least, or leave it out"
        require(batch is None or np.unique(batches).size > 1, "batch", "is the same everywhere", remedy)
        out = []
        for law, one in zip(laws, noisy, strict=True):
            x = np.log(np.stack([size, data, batches if one else ones], axis=1))
            found = cls(Form(law, version, one), x, np.log(value), label)
            found._require_enough()
            found._require_runs()
            out.append(found)
        return out

    def _require_enough(self) -> None:
        """Refuse points that cannot fix the parameters, of whatever runs."""
        sizes, times = (np.unique(self.x[:, column]).size for column in (0, 1))
        if self.form.law == "time":
            problem = f"has {sizes} sizes, of which 'time' knows nothing"
            require(sizes == 1, "N", problem, "use another law, or one size")
        else:
            remedy = "give more; for one size use law='time', or fit_offset_power_law for a single curve"
            require(sizes >= FEWEST_SIZES, "N", f"has {sizes} of the {FEWEST_SIZES} sizes that a floor needs", remedy)
        require(times >= FEWEST_SIZES, "D", f"has {times} different values", "sample the curves more finely")
        fewest = 2 * (len(self.form.terms) + len(self.form.exponent_names))
        require(self.y.size >= fewest, "L", f"has {self.y.size} points", f"give {fewest}, two for each parameter")

    def _require_runs(self) -> None:
        """Refuse runs that are none, or too few to be drawn again."""
        for column, name, several, blamed in ((0, "size", "sizes", "run"), (2, "batch", "batches", "batch")):
            same = self.x[:, column] == self.x[self.first, column][self.run]
            require(bool(same.all()), blamed, f"one run has points of several {several}", f"give each run one {name}")
        remedy = f"give {FEWEST_RUNS}: intervals come from how runs differ"
        require(self.runs >= FEWEST_RUNS, "run", f"names {self.runs} runs", remedy)

    @property
    def first(self) -> NDArray[np.intp]:
        """The first point of each run, shape (runs,)."""
        return np.unique(self.run, return_index=True)[1]

    @property
    def runs(self) -> int:
        return int(self.run.max()) + 1

    @property
    def sizes(self) -> FloatArray:
        """Logarithm of N of each run, shape (runs,)."""
        return np.asarray(self.x[self.first, 0])

    @property
    def middle(self) -> FloatArray:
        """Means of the columns of x, then the median of y."""
        return np.append(self.x.mean(axis=0), np.median(self.y))

    @property
    def points(self) -> Points:
        middle = self.middle
        return Points(self.x - middle[:3], self.y - middle[3])

    def top(self, along: str) -> tuple[FloatArray, float]:
        """Return log N or log D of the points, and where its largest third begins."""
        x = self.x[:, "ND".index(along)]
        return x, float(x.min() + (x.max() - x.min()) * _KEPT)

    def part(self, keep: NDArray[np.bool_]) -> Runs:
        """Return some of the points, if they are enough."""
        run = np.unique(self.run[keep], return_inverse=True)[1]
        found = replace(self, x=self.x[keep], y=self.y[keep], run=run)
        found._require_enough()
        return found

    def natural(self, theta: FloatArray, absent: float = 0.0) -> FloatArray:
        """Return exponents and logarithms of prefactors in the units of the points, shape (S, P).

        A term is absent that is at its bound, or at no point more than a share ``absent`` of the loss.
        """
        number, middle = len(self.form.terms), self.middle
        logs = theta[:, :number] + middle[3] + self.form.exponents(theta[:, number:]) @ middle[:3]
        gone = theta[:, :number] <= LEAST_LOG + 1e-6
        if absent:
            gone |= self.points.parts(self.form, theta)[1].max(axis=2) <= absent
        return np.concatenate([theta[:, number:], np.where(gone, -np.inf, logs)], axis=1)

    def missed(self, theta: FloatArray) -> FloatArray:
        """Return log of law over loss at all points, shape (S, n)."""
        points = self.points
        return points.parts(self.form, theta)[0] - points.y

    def by_run(self, values: FloatArray, some: NDArray[np.bool_] | None = None) -> FloatArray:
        """Return means over those of all, or of some, points that belong to each run, shape (..., their runs)."""
        run = self.run if some is None else self.run[some]
        member = run == np.unique(run)[:, None]
        return np.asarray(values @ (member / member.sum(axis=1, keepdims=True)).T)


@dataclass(frozen=True)
class Best:
    """The best optimum, and those from which other weightings of the points may find theirs, with their stretches."""

    theta: FloatArray
    stretch: NDArray[np.intp]
    starts: int
    agreeing: int
    settled: bool

    @classmethod
    def of(cls, data: Runs, thorough: bool = False) -> Best:
        """Search from all starts, or unless ``thorough`` from the best few on each side of the kinks."""
        points, form = data.points, data.form
        start = _starts(points, form)
        low, high = form.boxes()
        number = len(form.terms)
        inside = (start[:, None, number:] >= low[:, number:]) & (start[:, None, number:] <= high[:, number:])
        stretch = inside.all(axis=2).argmax(axis=1)
        if not thorough:
            few = np.concatenate([np.flatnonzero(stretch == one)[:_FEW] for one in range(len(low))])
            start, stretch = start[few], stretch[few]
        found = minimise(points, form, start, low[stretch], high[stretch])
        order = np.argsort(found.value)
        firsts = sorted((next(i for i in order if stretch[i] == one) for one in np.unique(stretch)),
                        key=lambda i: float(found.value[i]))  # fmt: skip
        best = firsts[0]
        each = data.by_run(np.abs(data.missed(found.theta[firsts])))
        more = each - each[0]
        # For other weights another stretch may be the best if it is no worse by four standard errors, but for one whose optimum
        # lies at a kink towards a third: that of the third is no worse.
        near = more.mean(axis=1) <= 4 * more.std(axis=1, ddof=1) / math.sqrt(data.runs)
        third = [abs(stretch[i] - stretch[best]) > 1 and _at_kink(found.theta[i], low[stretch[i]], high[stretch[i]],
                 upper=stretch[i] < stretch[best]) for i in firsts]  # fmt: skip
        kept = [i for i, one, far in zip(firsts, near, third, strict=True) if i == best or (one and not far)]
        limit = found.value[best] * (1 + _AGREE) + 1e-18 * points.y.size
        agreeing = int(np.count_nonzero(found.value <= limit))
        same = int(np.count_nonzero(stretch == stretch[best]))
        return cls(found.theta[kept], stretch[kept], same, agreeing, bool(found.settled[best]))

    def again(self, data: Runs, weight: FloatArray) -> tuple[FloatArray, NDArray[np.bool_]]:
        """Return the best parameters for each weighting of the points, shape (S, P), and whether the search came to rest."""
        points, form = data.points, data.form
        low, high = form.boxes()
        found = Optima(np.empty(0), np.full(len(weight), np.inf), np.zeros(len(weight), dtype=bool))
        for theta, stretch in zip(self.theta, self.stretch, strict=True):
            start = np.tile(theta, (len(weight), 1))
            logs = start[:, : len(form.terms)]
            np.maximum(logs, _LIFTED, out=logs)  # a term that is absent has no slope, and would stay so
            least, most = (np.tile(one[stretch], (len(weight), 1)) for one in (low, high))
            if found.theta.size == 0:
                found = minimise(points, form, start, least, most, weight)
                continue
            rough = minimise(points, form, start, least, most, weight, _ROUGH)
            rows = np.flatnonzero(rough.value < _HOPEFUL * found.value)
            if rows.size == 0:
                continue
            other = minimise(points, form, rough.theta[rows], least[rows], most[rows], weight[rows])
            better = other.value < found.value[rows]
            found.put(rows[better], Optima(other.theta[better], other.value[better], other.settled[better]))
        return found.theta, found.settled


def _at_kink(theta: FloatArray, low: FloatArray, high: FloatArray, upper: bool) -> bool:
    return bool(theta[-1] >= high[-1] if upper else theta[-1] <= low[-1])


def _starts(points: Points, form: Form) -> FloatArray:
    """Return for each floor and all exponents the best prefactors of a grid, the best of all first."""
    floors = np.log(_LEVELS[FLOOR]) + points.y.min()
    own = [_LEVELS.get(name, _LEVELS["exponent"]) for name in form.exponent_names]
    level = _LEVELS["power" if form.law in ("chinchilla", "time") else "term"]
    logs = np.array(list(product(level, repeat=len(form.terms) - 1)))
    few = np.linspace(0, points.y.size - 1, min(points.y.size, _SCREENED)).astype(int)
    seen = Points(points.x[few], points.y[few])
    out, values = [], []
    for floor, *exponents in product(floors, *own):
        tried = np.hstack([np.full((len(logs), 1), floor), logs, np.tile(exponents, (len(logs), 1))])
        value = seen.value(form, tried, np.ones((1, few.size)))
        out.append(tried[np.argmin(value)])
        values.append(value.min())
    return np.array(out)[np.argsort(values)]


def check_resamples(resamples: int) -> int:
    """Return a number of draws that has percentiles."""
    return whole(resamples, "resamples", least=_FEWEST_RESAMPLES)


def draw(random: np.random.Generator, sizes: FloatArray) -> FloatArray:
    """Return how often each run is drawn; draws with fewer sizes than a floor needs, of as many, are drawn again."""
    fewest = min(FEWEST_SIZES, np.unique(sizes).size)
    while True:
        times = random.multinomial(sizes.size, np.full(sizes.size, 1 / sizes.size)).astype(np.float64)
        if np.unique(sizes[times > 0]).size >= fewest:
            return times


class Written(ArrayValue):
    """A result that can be written as JSON."""

    _left_out: ClassVar[tuple[str, ...]] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return what can be written as JSON: what is open or NaN is None.

        Returns
        -------
        dict
        """
        return {one.name: _plain(getattr(self, one.name)) for one in fields(self) if one.name not in self._left_out}  # type: ignore[arg-type]


def _plain(value: Any) -> Any:
    if isinstance(value, Written):
        return value.as_dict()
    value = value.tolist() if isinstance(value, np.ndarray) else value
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
