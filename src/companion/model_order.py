"""Whether models keep the order of their losses from lazy to rich: random ones, and one with a head start."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.figure import Figure

from companion.claims import Claim, Measurement, bounded
from companion.parameters import Parameters
from companion.style import INK, LAZY, MUTED, RICH, drawing, plain_ticks
from neural_scaling import dmft
from neural_scaling.models.runs import OrderRun
from neural_scaling.runs import Experiment, Result
from neural_scaling.spectra import ModeQuadrature, PowerLaw
from neural_scaling.theory import chi, effective_time

Flags = npt.NDArray[np.bool_]

#: Losses closer than this, relative, count as equal when models are ordered.
TIE = 0.02


def orders(runs: Sequence[OrderRun], results: Mapping[Experiment, Result]) -> pd.DataFrame:
    """Count, on every target, the pairs of models whose order at the last time changes between lazy and rich.

    ``pairs`` are those whose losses differ by more than 2 % lazy and rich, ``reversed`` those among them whose order differs,
    ``share`` their share with its interval, ``tau`` Kendall's rank correlation. ``example`` are the indices (better lazy, worse
    lazy) of the largest reversal, ``lazy`` and ``rich`` the loss of the first over that of the second.
    """
    rows = [_order(run, results[run]) for run in runs]
    names = ["power", "pairs", "reversed", "tau", "share", "interval", "example", "lazy", "rich"]
    return pd.DataFrame(rows, columns=names)


def _order(run: OrderRun, result: Result) -> tuple[object, ...]:
    lazy, rich = (result.arrays[name][:, -1] for name in ("lazy", "rich"))
    pairs = np.triu_indices(lazy.size, k=1)
    gaps = gap_lazy, gap_rich = [np.log(loss)[pairs[0]] - np.log(loss)[pairs[1]] for loss in (lazy, rich)]
    clear = (np.abs(gap_lazy) > TIE) & (np.abs(gap_rich) > TIE)
    opposite = clear & (np.sign(gap_lazy) != np.sign(gap_rich))
    tau = float(np.mean(np.sign(gap_lazy) * np.sign(gap_rich)))
    count, changed = int(np.count_nonzero(clear)), int(np.count_nonzero(opposite))
    share = changed / max(count, 1)
    interval = _share_interval(share, clear, opposite, lazy.size)
    example, ratios = None, (math.nan, math.nan)
    if changed:
        pick = int(np.argmax(np.where(opposite, np.min(np.abs(gaps), axis=0), 0)))
        first, second = int(pairs[0][pick]), int(pairs[1][pick])
        example = a, b = (first, second) if gap_lazy[pick] < 0 else (second, first)
        ratios = (float(lazy[a] / lazy[b]), float(rich[a] / rich[b]))
    return run.power, count, changed, tau, share, interval, example, *ratios


def _share_interval(share: float, clear: Flags, opposite: Flags, models: int, draws: int = 1000) -> tuple[float, float]:
    """Return the 95 % interval from resampling models: pairs that share a model are not independent."""
    first, second = np.triu_indices(models, k=1)
    counts = np.random.default_rng(0).multinomial(models, np.full(models, 1 / models), size=draws)
    weights = counts[:, first] * counts[:, second]
    low, high = np.quantile((weights @ opposite) / np.maximum(weights @ clear, 1), (0.025, 0.975))
    return min(float(low), share), max(float(high), share)


def head_start(power: float, gamma: float, alpha: float = 1.5, eta: float = 0.03, steps: int = 5000) -> pd.DataFrame:
    """Double the first eight eigenvalues of a power law and return the losses over those before, lazy and rich, in time.

    No eigenvalue is smaller than before, so the lazy loss is smaller at all times.
    """
    plain = PowerLaw(alpha, power / alpha)
    base = plain.quadrature(4 * float(effective_time(plain.beta, gamma, eta, float(steps))))
    factor = np.where(np.arange(base.nodes.size) < 8, 2.0, 1.0)  # the first nodes are the first modes
    order = np.argsort(-factor * base.nodes, kind="stable")
    # The variance lambda_k (w*_k)^2 of a mode is the target's and stays.
    ahead = ModeQuadrature((factor * base.nodes)[order], base.weights[order], (base.target_weights / factor)[order])
    kept = np.unique(np.geomspace(1, steps, 60).astype(int)).astype(np.float64)
    lazy, rich = (
        np.divide(*(dmft.infinite_limit(modes, eta, richness, steps, record=kept).loss for modes in (ahead, base)))
        for richness in (0.0, gamma)
    )
    return pd.DataFrame({"time": eta * kept, "lazy": lazy, "rich": rich})


def last_ratios(heads: Mapping[float, pd.DataFrame]) -> pd.DataFrame:
    """Return the ratios of losses at the last time, by target."""
    rows = [(power, head.lazy.iloc[-1], head.rich.iloc[-1]) for power, head in heads.items()]
    return pd.DataFrame(rows, columns=["power", "lazy", "rich"])


def order_claims(plan: Parameters, found: pd.DataFrame, heads: Mapping[float, pd.DataFrame]) -> list[Claim]:
    """Return the claim that models keep the order of their exponents, and what was found about the order of their losses."""
    sources = np.linspace(0.0, 3.0, 3001)[1:]
    slopes = np.diff(chi(sources)) / np.diff(sources)
    claims = [
        bounded(
            plan,
            "losslaw.order.exponents",
            "section 6, eq. 10",
            "The model with the larger lazy exponent has the larger rich exponent: chi increases with beta.",
            "smallest slope of chi between neighbours of a grid of 3000 sources up to 3",
            "above",
            0.0,
            Measurement.exact(float(slopes.min())),
            "algebra",
        )
    ]
    last = plan.order_eta * plan.order_steps
    claims += [
        bounded(
            plan,
            f"losslaw.order.{_kind(row.power)}",
            "section 6",
            f"Found here: losses need not keep their order from lazy to rich, {_kind(row.power)} target.",
            f"share of {row.pairs} pairs of random models whose losses change order, eta t = {last:.3g}",
            "above",
            0.0,
            Measurement.of(row.share, row.interval, meaning="95 % interval, models resampled"),
            "theory",
            seeds=plan.models,
            runs=[run],
            note=f"{row.reversed} pairs with differences above 2 % both ways; rank correlation {row.tau:.2f}",
            needs="more random models",
        )
        for row, run in zip(found.itertuples(), plan.orders(), strict=True)
    ]
    for power, head in heads.items():
        measured = Measurement.exact(float(head.rich.iloc[-1]))
        # Where both have learned everything they differ in, ratios are 1 up to rounding.
        if (head.lazy > 1 + 1e-9).any():
            measured = Measurement.none("the model ahead is not lazily better at all times")
        claims.append(
            bounded(
                plan,
                f"losslaw.head-start.{_kind(power)}",
                "section 6",
                f"Found here: a model that is lazily better at all times can be worse when rich, {_kind(power)} target.",
                "rich loss of the model ahead over the other at the last time",
                "above",
                1.0,
                measured,
                "theory",
                note="what is learned sooner drives the kernel less: the model ahead ends with the smaller kernel",
                needs="a pair of which one is lazily better at all times",
            )
        )
    return claims


def order_figure(
    plan: Parameters, results: Mapping[Experiment, Result], found: pd.DataFrame, heads: Mapping[float, pd.DataFrame]
) -> Figure:
    """Draw lazy against rich losses of random models of the first target, and the ratios of the constructed pairs."""
    arrays = results[plan.orders()[0]].arrays
    lazy, rich = arrays["lazy"][:, -1], arrays["rich"][:, -1]
    with drawing(8.4, 2) as (figure, (upper, lower)):
        upper.loglog(lazy, rich, "o", color=INK, markersize=4.5)
        if found.example[0] is not None:
            pair = list(found.example[0])
            ringed = {"markerfacecolor": "none", "markersize": 11, "linewidth": 1.4}
            upper.loglog(lazy[pair], rich[pair], "o-", color=RICH, **ringed)
        for axis in (upper.xaxis, upper.yaxis):
            plain_ticks(axis)
        upper.set(xlabel="lazy loss", ylabel="rich loss")
        upper.set(title=f"(a) random models, hard target, $\\eta t = {arrays['time'][-1]:.3g}$")
        for (power, head), style in zip(heads.items(), ("-", "--"), strict=False):
            lower.semilogx(head.time, head.lazy, style, color=LAZY, label=f"{_kind(power)}, lazy")
            lower.semilogx(head.time, head.rich, style, color=RICH, label=f"{_kind(power)}, rich")
        lower.axhline(1.0, color=MUTED, linewidth=0.9, linestyle=":")
        lower.set(xlabel=r"$\eta t$", ylabel="loss of the model ahead / other")
        lower.set(title="(b) first eight eigenvalues doubled")
        lower.legend(loc="lower right")
    return figure


def _kind(power: float) -> str:
    return "hard" if power < 1 else "easy"
