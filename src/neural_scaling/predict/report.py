"""The report: one file that opens offline, plain sentences first."""

from __future__ import annotations

import html
import math
import os
import shutil
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from neural_scaling.base import checks
from neural_scaling.base.checks import require
from neural_scaling.base.files import make_folder, not_written, write_atomically
from neural_scaling.fits import OffsetFit, ScalingLawFit
from neural_scaling.predict.forecast import BestUse, Curve, Range
from neural_scaling.predict.plots import svgs
from neural_scaling.predict.prediction import Prediction

_OURS = {"report.html", "prediction.json", "spectrum.svg", "curves.svg", "sharpness.svg", "points.svg"}
_REMEDY = "choose another folder, or free space on that disk"
_MEANING = {
    "hard": "the target has more detail than the kernel can hold, and feature learning improves the exponent",
    "easy": "feature learning improves the constant, not the exponent",
    "super-easy": "feature learning improves the constant only, and the noise of small batches sets the late loss",
}
_CAPTIONS = {
    "curves": "Expected loss at {size} in gradient flow, without the noise of labels. Bands hold 95 %. Where "
    "lines are dotted more than half of the loss lies in modes that are not known. The vertical line is the edge of stability.",
    "spectrum": "Modes of the kernel and of the target, the fitted laws dashed, the window shaded.",
    "sharpness": "The kernel grows as features are learned, and the largest stable step falls with it.",
    "points": "Measured losses, one line a run, and the fitted law, dashed.",
}
_COMPUTE = "Compute is N t, width times time; time is learning rate times steps, or as the curves have it."
_MODEL = (
    "The theory is that of the projected linear model (Bordelon, Atanasov and Pehlevan, ICLR 2025). A network whose features are "
    "not like Gaussian ones may depart from it."
)
_SLOWER = (1.0, 0.3, 0.1, 0.03, 0.01, 0.001)  # learning rates of the table, in units of half the largest at the start
_STYLE = """
:root { color-scheme: light dark; }
body { font: 17px/1.5 system-ui, sans-serif; max-width: 46rem; margin: 0 auto; padding: 1rem; color: #1d1d1f; background: #fff; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2rem; }
figure { margin: 1.5rem 0; } figure svg { width: 100%; height: auto; } figcaption, small { font-size: .88rem; opacity: .85; }
table { border-collapse: collapse; display: block; overflow-x: auto; font-variant-numeric: tabular-nums; font-size: .92rem; }
td, th { text-align: left; padding: .25rem .9rem .25rem 0; border-bottom: 1px solid #8884; }
.warning { border-left: .25rem solid #d9622b; padding-left: .8rem; margin: .6rem 0; }
@media (prefers-color-scheme: dark) { body { color: #e8e8ea; background: #16171a; } }
"""


def save_report(prediction: Prediction, folder: str | Path) -> Path:
    """Write ``report.html``, ``prediction.json`` and the plots as SVG to a folder, all of them or nothing.

    Parameters
    ----------
    prediction
        What to report.
    folder
        Made if missing; a report that is there is replaced.

    Returns
    -------
    Path
        Of the folder.

    Raises
    ------
    InputError
        If the folder holds other files.
    OSError
        If it cannot be written; what was there before is intact.
    """
    prediction = checks.instance(prediction, "prediction", Prediction, "give a Prediction")
    folder = checks.path(folder, "folder")
    drawings = svgs(prediction)
    content = {"report.html": page(prediction, drawings), "prediction.json": prediction.to_json()}
    content |= {f"{name}.svg": text.replace("currentColor", "#444444") for name, text in drawings.items()}
    require(
        not folder.exists() or folder.is_dir(), "folder", f"{folder} is a file", "give a folder, or a name that is free"
    )
    foreign = sorted({one.name for one in folder.iterdir()} - _OURS) if folder.exists() else []
    require(
        not foreign, "folder", f"{folder} holds {foreign[:1]}", "give an empty folder, a new one, or that of a report"
    )
    make_folder(folder.parent, _REMEDY)
    try:
        made = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
    except OSError as error:
        raise not_written(folder, error, _REMEDY) from error
    try:
        for name, text in content.items():
            write_atomically(made / name, [text.encode()], _REMEDY)
        os.chmod(made, 0o755)  # a temporary folder is private
        old = made.with_name(f"{made.name}.old")
        if folder.exists():
            os.rename(folder, old)
        os.rename(made, folder)
        shutil.rmtree(old, ignore_errors=True)
    except OSError as error:
        raise not_written(folder, error, _REMEDY) from error
    finally:
        shutil.rmtree(made, ignore_errors=True)
    return folder


def page(prediction: Prediction, drawings: dict[str, str]) -> str:
    """Return the report as HTML."""
    one = prediction
    parts = [
        "<h1>What to expect of this problem</h1>",
        *(f"<p>{html.escape(sentence)}</p>" for sentence in sentences(one)),
        *(f'<p class="warning">{html.escape(words)}</p>' for words in one.warnings),
        *(
            f"<figure>{drawings[name]}<figcaption>{_CAPTIONS[name].format(size=_size(one))}</figcaption></figure>"
            for name in drawings
        ),
        "<h2>Numbers</h2>",
        _table(("", "value", "95 % interval", "window"), _numbers(one)),
    ]
    if one.rich is not None:
        parts += [
            "<h2>Step size</h2>",
            _table(("learning rate", "edge of stability at", "steps", "gain there"), _edges(one)),
        ]
    if one.best_use:
        parts += ["<h2>Best use of compute</h2>", f"<p>{_COMPUTE}</p>", *(_best_use(each) for each in one.best_use)]
    parts += ["<h2>How it was computed</h2>", *(f"<p>{html.escape(sentence)}</p>" for sentence in _how(one))]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Scaling of this problem</title><style>{_STYLE}</style></head><body>\n"
        + "\n".join(parts)
        + "\n</body></html>\n"
    )


def sentences(prediction: Prediction) -> list[str]:
    """Return what there is to say, in plain sentences."""
    one = prediction
    chance = {"hard": one.hard, "easy": 1 - one.hard - one.super_easy, "super-easy": one.super_easy}[one.difficulty]
    sure = "above 0.99" if chance > 0.99 else f"{chance:.2g}"
    words = [f"The task is {one.difficulty}, with probability {sure}: {_MEANING[one.difficulty]}."]
    if one.source is not None:
        words.append(f"Its source is {_said(one.source)}, in a 95 % interval.")
    if one.capacity is not None:
        words.append(f"The capacity of the kernel is {_said(one.capacity)}.")
    if one.lazy is not None and one.rich is not None and one.gain is not None and one.largest_eta is not None:
        until = float(one.rich.time[-1]) if one.edge is None else one.edge
        where = (
            "the end of the forecast" if one.edge is None else f"the edge of stability at learning rate {one.eta:.2g}"
        )
        words.append(
            f"At {_size(one)} learned features lower the loss {_said(one.gain)} times by eta t = {until:.3g}, {where}."
        )
        words.append(_richness(one))
        for curve, kind in ((one.lazy, "frozen"), (one.rich, "learned")):
            if (window := _middle(curve, one.tail_time)) is not None:
                exponent = _said(curve.exponent(window))
                span = f"between eta t = {window[0]:.3g} and {window[1]:.3g}"
                words.append(f"With {kind} features the loss falls with exponent {exponent} {span}.")
        words.append(
            f"The largest stable learning rate is {2 / one.lazy.sharpness[0]:.3g} at the start and {_said(one.largest_eta)} up "
            f"to eta t = {one.rich.time[-1]:.3g} with learned features."
        )
    if one.curves is not None and isinstance(fit := one.curves.fit, OffsetFit) and one.source and one.source.window:
        exponent = _said(Range(fit.exponent, *fit.interval))
        floor = f", to a floor of {_said(Range(fit.offset, *fit.offset_interval))}" if fit.offset else ""
        first, last = one.source.window
        words.append(f"The loss falls with exponent {exponent} between {first:.3g} and {last:.3g}{floor}.")
    for each in one.best_use:
        good = [row for row in range(each.compute.size) if math.isfinite(each.width[row, 0])]
        if good:
            row = good[len(good) // 2]
            kind = "learned" if each.rich else "frozen"
            words.append(
                f"With {kind} features a budget of N t = {each.compute[row]:.3g} is best spent on width "
                f"{_three(each.width[row])} for time {_three(each.time[row])}."
            )
    return words


def _size(one: Prediction) -> str:
    width, batch = ("infinite" if math.isinf(value) else f"{value:g}" for value in (one.width, one.batch))
    if width == batch == "infinite":
        return "infinite width and batch"
    return f"width {width} and batch {batch}" + ("" if math.isinf(one.batch) else f" (learning rate {one.eta:.2g})")


def _richness(one: Prediction) -> str:
    """Return which richness the curve of learned features has, and how sure that is."""
    words = f"The curve of learned features has richness {one.richness:.3g} of the theory"
    if one.richness_from == "gamma0":
        return f"{words}. This is an assumption: the square of gamma_0 = {one.gamma0:.3g}, as in a linear network of two layers."
    words += " (gamma L(0) / lambda_1)"
    if one.origin == "spectrum":
        return f"{words}."
    known = "" if one.gamma0 is None else f", here {one.gamma0:.3g},"
    return f"{words}. This is an assumption: no exact relation to the gamma_0 of a network{known} is known."


def _middle(curve: Curve, tail_time: float | None) -> tuple[float, float] | None:
    """Return the times between the first learned modes and those that are not known."""
    first, last = 100 * float(curve.time[0]), float(curve.time[-1] if tail_time is None else tail_time)
    return (first, last) if last > 10 * first else None


def _numbers(prediction: Prediction) -> list[Sequence[str]]:
    one, estimate = prediction, prediction.estimate
    rows = [
        ("capacity α", one.capacity),
        ("source β", one.source),
        ("gain of feature learning", one.gain),
        ("largest stable learning rate", one.largest_eta),
    ]
    if one.bounds is not None:
        rows += [
            ("slope of the train bound", one.bounds.source_train),
            ("slope of the test bound", one.bounds.source_test),
        ]
    found: list[Sequence[str]] = [
        (name, f"{value.value:.3g}", f"{value.low:.3g} to {value.high:.3g}", _window(value))
        for name, value in rows
        if value
    ]
    chances = f"{one.hard:.2g}, {max(0.0, 1 - one.hard - one.super_easy):.2g}, {one.super_easy:.2g}"
    found.append(("probability hard, easy, super-easy", chances, "", ""))
    if one.curves is not None and isinstance(one.curves.fit, ScalingLawFit):
        fit = one.curves.fit
        found += [
            (name, f"{value:.3g}", f"{low:.3g} to {high:.3g}", "")
            for name, value, (low, high) in zip(fit.names, fit.values, fit.intervals, strict=True)
        ]
    if estimate is not None:
        low, high = estimate.noise_interval
        tail = "never" if one.tail_time is None else f"η t = {one.tail_time:.3g}"
        found += [
            ("noise of labels, variance", f"{one.noise:.3g}", f"{low:.3g} to {high:.3g}", ""),
            ("richness γ, as assumed", f"{one.gamma:.3g}", "", ""),
            ("richness without units, γ L(0)/λ₁", f"{one.richness:.3g}", "", ""),
            ("γ₀ of the network", "not known" if one.gamma0 is None else f"{one.gamma0:.3g}", "", ""),
            ("modes known", f"{estimate.eigenvalues.size}", "", ""),
            ("half of the loss rests on the tail from", tail, "", ""),
        ]
    return found


def _edges(prediction: Prediction) -> list[Sequence[str]]:
    lazy, rich = prediction.lazy, prediction.rich
    rows: list[Sequence[str]] = []
    if lazy is None or rich is None:
        return rows
    for factor in _SLOWER:
        eta = factor / float(lazy.sharpness[0])
        time = rich.edge(eta)
        if time is None:
            rows.append((f"{eta:.3g}", "not reached", "", ""))
            continue
        row = int((rich.time >= time).argmax())
        gain = f"{lazy.loss[row] / rich.loss[row]:.3g}"
        rows.append((f"{eta:.3g}", f"η t = {time:.3g}", f"{time / eta:.3g}", gain))
    return rows


def _best_use(one: BestUse) -> str:
    rows = [
        (f"{compute:.3g}", *(_three(values[row]) for values in (one.width, one.time, one.loss)))
        for row, compute in enumerate(one.compute)
    ]
    late = ""
    if one.loss_exponent is not None and one.width_exponent is not None:
        late = (
            f"Late in training the loss falls with the exponent {_said(one.loss_exponent)} of compute, and the best width grows "
            f"with {_said(one.width_exponent)}."
        )
    title = "Learned features" if one.rich else "Frozen features"
    table = _table(("compute N t", "width N", "time t", "loss"), rows)
    return f"<h3>{title}</h3>{table}<p>{html.escape(late)}</p>"


def _how(one: Prediction) -> list[str]:
    estimate, lazy = one.estimate, one.lazy
    if estimate is None or lazy is None:
        return [one.provenance, _MODEL]
    start = "exact modes" if estimate.samples is None else f"a kernel on {estimate.samples} samples"
    return [
        f"Capacity and source come from {start}, modes {estimate.window[0]:.0f} to {estimate.window[1]:.0f}. Modes behind the "
        f"{estimate.eigenvalues.size} known ones follow the fitted laws. "
        f"Exponents of the target that differ by less than {estimate.smallest_bend:.2g} between the halves of the window could "
        "not be told from one power.",
        f"The curves are those of mean field theory at {_size(one)}, in gradient flow: means over initial weights and batches."
        " The edge of stability, the largest learning rate and the best use of compute are those of infinite width and batch"
        " (the best use at the width that it names).",
        _MODEL,
        f"Bands and intervals hold 95 % of {len(lazy.draws)} draws of exponents, levels and measured modes. They do not hold the "
        "error of the model itself.",
        "With frozen features the effect of finite width is that of mean field theory; with learned ones it is within 4 % of it.",
        one.provenance,
    ]


def _said(found: Range) -> str:
    return f"{found.value:.3g} ({found.low:.3g} to {found.high:.3g})"


def _three(values: Iterable[float]) -> str:
    value, low, high = values
    if not math.isfinite(value):
        return "outside of what was computed"
    return f"{value:.3g}" + (f" ({low:.3g} to {high:.3g})" if math.isfinite(low) else "")


def _window(found: Range) -> str:
    return "" if found.window is None else f"{found.window[0]:.3g} to {found.window[1]:.3g}"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    top = "".join(f"<th>{html.escape(cell)}</th>" for cell in head)
    body = "".join("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"
