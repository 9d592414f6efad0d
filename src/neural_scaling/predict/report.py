"""The report: one file that opens offline, plain sentences first."""

from __future__ import annotations

import html
import math
import os
import shutil
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from neural_scaling.base.checks import require
from neural_scaling.base.files import make_folder, not_written, write_atomically
from neural_scaling.predict.forecast import BestUse, Curve, Range
from neural_scaling.predict.plots import svgs
from neural_scaling.predict.prediction import Prediction

_OURS = {"report.html", "prediction.json", "spectrum.svg", "curves.svg", "sharpness.svg"}
_REMEDY = "choose another folder, or free space on that disk"
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


def write(prediction: Prediction, folder: Path) -> Path:
    """Write report, numbers and plots to a folder, all of them or nothing."""
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
    parts = [
        "<h1>What to expect of this problem</h1>",
        *(f"<p>{html.escape(sentence)}</p>" for sentence in sentences(prediction)),
        _warnings(prediction.warnings),
        "<h2>Learning curves</h2>",
        _figure(
            drawings["curves"],
            "Expected loss at infinite width and batch in gradient flow, without the noise of labels. Bands "
            "hold 95 %. Where lines are dotted more than half of the loss lies in modes that are not known. The vertical line is "
            "the edge of stability.",
        ),
        "<h2>Numbers</h2>",
        _table(("", "value", "95 % interval", "window"), _numbers(prediction)),
        _figure(
            drawings["spectrum"], "Modes of the kernel and of the target, the fitted laws dashed, the window shaded."
        ),
        "<h2>Step size</h2>",
        _figure(
            drawings["sharpness"],
            "The kernel grows as features are learned, and the largest stable step falls with it.",
        ),
        _table(
            ("learning rate", "edge of stability at", "steps", "gain of feature learning there"), _edges(prediction)
        ),
        "<h2>Best use of compute</h2>",
        "<p>Compute is N t, width times time, with time in units of learning rate times steps.</p>",
        *(_allocation(one) for one in prediction.allocations),
        "<h2>How it was computed</h2>",
        *(f"<p>{html.escape(sentence)}</p>" for sentence in _how(prediction)),
    ]
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
    meaning = {
        "hard": "the target has more detail than the kernel can hold, and feature learning improves the exponent",
        "easy": "feature learning improves the constant, not the exponent",
        "super-easy": "feature learning improves the constant only, and the noise of small batches sets the late loss",
    }
    words = [
        f"The task is {one.difficulty}, with probability {chance:.2g}: {meaning[one.difficulty]}.",
        f"Its source is {_said(one.source)} and the capacity of the kernel {_said(one.capacity)}.",
    ]
    until = one.edge or float(one.rich.time[-1])
    where = (
        f"where the edge of stability is reached with learning rate {one.eta:.2g}"
        if one.edge
        else "the end of the forecast"
    )
    words.append(f"Learned features lower the loss {_said(one.gain)} times by eta t = {until:.3g}, {where}.")
    for curve, kind in ((one.lazy, "frozen"), (one.rich, "learned")):
        if (window := _middle(curve, one.tail_time)) is not None:
            words.append(
                f"With {kind} features the loss falls with exponent {_said(curve.exponent(window))} between eta t = "
                f"{window[0]:.3g} and {window[1]:.3g}."
            )
    words.append(
        f"The largest stable learning rate is {2 / one.lazy.sharpness[0]:.3g} at the start and {_said(one.largest_eta)} up to "
        f"eta t = {one.rich.time[-1]:.3g} with learned features."
    )
    for each in one.allocations:
        good = [row for row in range(each.compute.size) if math.isfinite(each.width[row, 0])]
        if good:
            row = good[len(good) // 2]
            kind = "learned" if each.rich else "frozen"
            words.append(
                f"With {kind} features a budget of N t = {each.compute[row]:.3g} is best spent on width {_three(each.width[row])} for "
                f"time {_three(each.time[row])}."
            )
    return words


def _middle(curve: Curve, tail_time: float | None) -> tuple[float, float] | None:
    """Return the times between the first learned modes and those that are not known."""
    first, last = 100 * float(curve.time[0]), float(curve.time[-1] if tail_time is None else tail_time)
    return (first, last) if last > 10 * first else None


def _numbers(prediction: Prediction) -> list[Sequence[str]]:
    one = prediction
    rows = [
        ("capacity α", one.capacity, "modes"),
        ("source β", one.source, "modes"),
        ("gain of feature learning", one.gain, ""),
        ("largest stable learning rate", one.largest_eta, ""),
    ]
    if one.bounds is not None:
        rows += [
            ("slope of the train bound", one.bounds.source_train, "time"),
            ("slope of the test bound", one.bounds.source_test, "time"),
        ]
    found: list[Sequence[str]] = [
        (name, f"{value.value:.3g}", f"{value.low:.3g} to {value.high:.3g}", _window(value, unit))
        for name, value, unit in rows
    ]
    found.append(
        (
            "probability hard, easy, super-easy",
            f"{one.hard:.2g}, {max(0.0, 1 - one.hard - one.super_easy):.2g}, {one.super_easy:.2g}",
            "",
            "",
        )
    )
    low, high = one.estimate.noise_interval
    found.append(("noise of labels, variance", f"{one.noise:.3g}", f"{low:.3g} to {high:.3g}", ""))
    found.append(("richness γ", f"{one.gamma:.3g}", "", ""))
    found.append(("modes known", f"{one.estimate.eigenvalues.size}", "", ""))
    tail = "never" if one.tail_time is None else f"η t = {one.tail_time:.3g}"
    found.append(("half of the loss rests on the tail from", tail, "", ""))
    return found


def _edges(prediction: Prediction) -> list[Sequence[str]]:
    rows: list[Sequence[str]] = []
    for factor in _SLOWER:
        eta = factor / float(prediction.lazy.sharpness[0])
        time = prediction.rich.edge(eta)
        if time is None:
            rows.append((f"{eta:.3g}", "not reached", "", ""))
            continue
        row = int((prediction.rich.time >= time).argmax())
        rows.append(
            (
                f"{eta:.3g}",
                f"η t = {time:.3g}",
                f"{time / eta:.3g}",
                f"{prediction.lazy.loss[row] / prediction.rich.loss[row]:.3g}",
            )
        )
    return rows


def _allocation(one: BestUse) -> str:
    rows = [
        (f"{compute:.3g}", *(_three(values[row]) for values in (one.width, one.time, one.loss)))
        for row, compute in enumerate(one.compute)
    ]
    late = ""
    if one.loss_exponent is not None and one.width_exponent is not None:
        late = f"Late in training the loss falls with the exponent {_said(one.loss_exponent)} of compute, and the best width grows with {_said(one.width_exponent)}."
    title = "Learned features" if one.rich else "Frozen features"
    return (
        f"<h3>{title}</h3>"
        + _table(("compute N t", "width N", "time η t", "loss"), rows)
        + f"<p>{html.escape(late)}</p>"
    )


def _how(prediction: Prediction) -> list[str]:
    one = prediction.estimate
    start = "exact modes" if one.samples is None else f"a kernel on {one.samples} samples"
    return [
        f"Capacity and source come from {start}, modes {one.window[0]:.0f} to {one.window[1]:.0f}. Modes behind the {one.eigenvalues.size} known "
        "ones follow the fitted laws.",
        "The curves are those of the mean field theory of the projected linear model (Bordelon, Atanasov and Pehlevan, ICLR 2025) at "
        "infinite width and batch, in gradient flow. A real network whose features are not like Gaussian ones may depart from them, "
        "and a network departs from its kernel at the start as its features move: the richness says how fast.",
        f"Bands and intervals hold the 95 % of {len(prediction.lazy.draws)} draws of exponents, levels and measured modes. They do not "
        "hold the error of the model itself.",
        "At frozen features the effect of finite width is exact in mean field theory; with learned features it is within 4 % of the loss.",
        prediction.provenance,
    ]


def _said(found: Range) -> str:
    return f"{found.value:.3g} ({found.low:.3g} to {found.high:.3g})"


def _three(values: Iterable[float]) -> str:
    value, low, high = values
    if not math.isfinite(value):
        return "outside of what was computed"
    return f"{value:.3g}" + (f" ({low:.3g} to {high:.3g})" if math.isfinite(low) else "")


def _window(found: Range, unit: str) -> str:
    return "" if found.window is None else f"{unit} {found.window[0]:.3g} to {found.window[1]:.3g}"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    top = "".join(f"<th>{html.escape(cell)}</th>" for cell in head)
    body = "".join("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"


def _figure(svg: str, caption: str) -> str:
    return f"<figure>{svg}<figcaption>{html.escape(caption)}</figcaption></figure>"


def _warnings(words: Sequence[str]) -> str:
    return "".join(f'<p class="warning">{html.escape(one)}</p>' for one in words)
