"""The tables of the reproducibility record: what the paper states beside what is used here, splits of data, hardware, software.

Values come from the parameters of the pages and the provenance of the shipped results; what the paper states is written here.
"""

from __future__ import annotations

import ast
import io
import json
import tokenize
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from companion.parameters import NOTEBOOKS, cell_of, scales_of, values_at
from neural_scaling.base.checks import require
from neural_scaling.base.paths import data_root, shipped_scale
from neural_scaling.data.catalogue import C4, CIFAR5M, CIFAR10, MNIST, SPEECHES_BOOKS
from neural_scaling.data.digits.sizes import SIZES


class Stated(NamedTuple):
    """A value that the paper gives."""

    value: Any  # as it would stand in the parameters
    place: str  # where in the paper
    words: str = ""  # how the paper has it, where that is another quantity or form


_ICLR = "ICLR version, as quoted in the automated record"
CODE = "public code of the same group, not the paper"

#: What the paper states, by page and parameter. Everything else on these pages is ours.
STATED: dict[str, dict[str, Stated]] = {
    "fig02": {
        "beta_easy": Stated(1.2, "Fig. 2 (a, c)"),
        "beta_hard": Stated(0.4, "Fig. 2 (b, d)"),
        "gammas": Stated([0.0, 0.125, 0.25, 0.5, 1.0, 2.0], "Fig. 2 (a, b), legend", "0, 2⁻³ to 2¹"),
        "steps_infinite": Stated(10000, "Fig. 2 (a, b), axis"),
        "widths": Stated([16, 32, 64, 128, 256, 512, 1024, 2048], "Fig. 2 (c, d), legend", "2⁴ to 2¹¹"),
        "seeds": Stated(32, "Fig. 2, caption"),
    },
    "fig03": {
        "beta_hard": Stated(0.5, "Fig. 3 (a)"),
        "beta_super_easy": Stated(3.6, "Fig. 3 (b)"),
        "batches": Stated([1, 2, 4, 8, 16, 32, 64], "Fig. 3, legend"),
    },
    "fig04": {
        "gamma": Stated(0.75, "Fig. 4, caption"),
        "betas": Stated([0.5, 1.25, 1.75], "Fig. 4"),
        "compute": Stated(1.0e6, "Fig. 4 (b, c), axis"),
    },
    "fig05": {
        "depth": Stated(4, _ICLR),
        "width": Stated(512, _ICLR),
        "steps": Stated(10000, "Fig. 5, axis"),
        "betas": Stated([0.1, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5], "Fig. 5 (a), legend"),
        "decay": Stated(1.4, "Fig. 5 (b)"),
        "powers": Stated([1.8, 1.2, 0.9, 0.72], "Fig. 5 (b), legend, and paper eq. 14", "from β = 0.5, 0.75, 1, 1.25"),
    },
    "fig06": {
        "digits": Stated(["mnist1m-full"], "section 5.2", "MNIST-1M"),
        "objects": Stated(["cifar5m"], "section 5.2", "CIFAR-5M"),
        "richness_digits": Stated([0.01, 0.03, 0.1, 0.3, 1.0], "Fig. 6 (a), legend"),
        "richness_objects": Stated([0.0, 0.25, 0.33, 0.5], "Fig. 6 (b), legend", "linearised, 0.25, 0.33, 0.5"),
        "steps_digits": Stated(1000, "Fig. 6 (a), axis"),
        "steps_objects": Stated(100000, "Fig. 6 (b), axis"),
    },
    "fig07": {
        "depth": Stated(4, _ICLR),
        "width": Stated(512, _ICLR),
        "steps": Stated(10000, "Fig. 7 (b), axis"),
        "betas": Stated([1.0, 1.2, 1.5, 1.8], "Fig. 7 (b), legend"),
        "powers_kernel": Stated([0.75, 1.0, 1.25, 1.5, 1.75], "Fig. 7 (a), legend"),
    },
    "fig08": {
        "dataset": Stated("c4", "Fig. 8, caption", "C4, by SentencePiece"),
        "depth": Stated(4, "Fig. 8, caption"),
        "heads": Stated(16, "Fig. 8, caption"),
        "head_size": Stated(128, "Fig. 8, caption"),
        "richness": Stated([1.0e-4, 0.01, 0.05, 0.1], "Fig. 8, legend"),
        "start": Stated(1.0e6, "Fig. 8, caption"),
        "context": Stated(256, CODE),
        "residual": Stated(8.0, CODE),
        "eta": Stated(40.0, CODE),
        "batch": Stated(128, CODE),
        "steps": Stated(100000, CODE),
        "average": Stated(200, CODE),
    },
    "fig10": {"levels": Stated(6, "Fig. 10, legend")},
    "fig11": {
        "alpha": Stated(2.0, "Fig. 11, panel titles"),
        "beta_easy": Stated(1.2, "Fig. 11 (a)"),
        "beta_hard": Stated(0.2, "Fig. 11 (b)"),
        "modes": Stated(10000, "Fig. 11, panel titles"),
        "width": Stated(100, "Fig. 11, panel titles"),
        "batch": Stated(128.0, "Fig. 11, panel titles"),
        "gammas": Stated([1.0e-3, 0.01, 0.1, 1.0], "Fig. 11, legend"),
        "steps": Stated(10000, "Fig. 11, axis"),
    },
}


def comments(source: str) -> dict[str, str]:
    """Return what a parameters cell says of each name: the last comment in its statement."""
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    said = {token.start[0]: token.string.lstrip("# ") for token in tokens if token.type == tokenize.COMMENT}
    found = {}
    for one in ast.parse(source).body:
        if isinstance(one, ast.AnnAssign):
            lines = range(one.lineno, (one.end_lineno or one.lineno) + 1)
            found[ast.unparse(one.target)] = next((said[line] for line in reversed(lines) if line in said), "")
    return found


def evidence(item: str, name: str, here: Any, full: Any) -> str:
    """Return who chose a value of a page, the paper or this book, and whether what the paper states is used."""
    stated = STATED.get(item, {}).get(name)
    if stated is None:
        return "ours"
    where = stated.place if stated.place == CODE else f"stated, {stated.place}"
    if holds(stated.value, here):
        return where
    return where + ("; so at full scale" if holds(stated.value, full) else "; not used")


def setup(item: str) -> pd.DataFrame:
    """Return the parameters of a page: meaning, what the paper states, value of the shipped runs and of the build, evidence."""
    require(item in STATED, "item", f"got {item!r}", f"use one of {', '.join(STATED)}")
    scales = scales_of(item)
    shipped = shipped_scale(item) if len(scales) > 1 else "small"
    here, small = values_at(item, shipped), values_at(item, "small")
    full = values_at(item, scales[-1])
    rows = []
    for name, meaning in comments(cell_of(item)).items():
        if name == "scale":
            continue
        stated = STATED[item].get(name)
        paper = "" if stated is None else stated.words or words(stated.value)
        whose = evidence(item, name, here[name], full[name])
        rows.append((name, without_mark(meaning), paper, words(here[name]), words(small[name]), whose))
    heads = ["parameter", "meaning", "paper", f"here ({shipped} scale)", "in every build", "evidence"]
    if shipped == "small":
        heads[3] = "here"
    frame = pd.DataFrame(rows, columns=heads)
    return frame.drop(columns="in every build") if shipped == "small" else frame


def holds(stated: Any, used: Any) -> bool:
    """Return whether a stated value is the one used, or all stated values are among those used."""
    if isinstance(stated, list):
        return set(stated) <= set(used)
    return bool(stated == used)


def words(value: Any) -> str:
    """Return a value as a reader writes it."""
    if isinstance(value, list | tuple):
        return ", ".join(f"({words(one)})" if isinstance(one, list | tuple) else words(one) for one in value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    if value == float("inf"):
        return "∞"
    if isinstance(value, int) or abs(value) < 1e5:
        return f"{value:g}" if isinstance(value, float) else str(value)
    return f"{value:.15g}"


def without_mark(meaning: str) -> str:
    """Drop the mark of what is ours, which the column of evidence has."""
    begin = meaning.find("(ours")
    return meaning if begin < 0 else meaning[:begin].rstrip() + meaning[meaning.index(")", begin) + 1 :]


def splits() -> pd.DataFrame:
    """Return which data each figure trains and tests on, at the scale of its shipped results."""
    fig05, fig06, fig08 = (values_at(item, shipped_scale(item)) for item in ("fig05", "fig06", "fig08"))
    source = values_at("source", shipped_scale("source"))
    digits = SIZES["reduced"]
    learned, held_out = SPEECHES_BOOKS.documents or (0, 0)
    online = "the population loss, exact; no test set"
    firsts = f"the first {fig06['test']:,} of {{:,}} test images"
    split, nothing = "the split of the dataset", "nothing is held out"
    mnist = f"all {MNIST.train:,} training images, each once before any again"
    generated = f"{digits.total - digits.held_out:,} images, each once before any again"
    photographs = f"all {CIFAR10.train:,} training images, shifted and mirrored, with replacement"
    once, shards = firsts.format(CIFAR10.test) + ", shifted and mirrored once", "the last tenth of the shards"
    angles = f"{fig05['angles']:,} equidistant angles on the circle"
    parseval = "the population loss by Parseval; no test set"
    rows = [
        ("Figures 2-4, 11, 12", "Gaussian features", "fresh batches, or the population", online, nothing),
        ("Figures 5, 7", angles, "drawn with replacement", parseval, nothing),
        ("Figure 6 (a)", "mnist", mnist, firsts.format(MNIST.test), split),
        ("Figure 6 (a)", "mnist1m, reduced", generated, firsts.format(digits.held_out), shards),
        ("Figure 6 (b)", "cifar10 for cifar5m", photographs, once, split),
        (
            "Source of real tasks",
            ", ".join(source["datasets"]),
            f"kernels: the first {source['images']:,} training images; networks: all, each once before any again",
            f"the first {source['test']:,} test images",
            split,
        ),
        (
            "Figure 8",
            fig08["dataset"],
            f"{SPEECHES_BOOKS.train:,} tokens of {learned} documents, one pass at most",
            f"{fig08['test']:,} sequences at equal distances in {SPEECHES_BOOKS.test:,} tokens of {held_out} documents",
            "whole documents; those that share passages stay together",
        ),
        (
            "full scale, not run here",
            "cifar5m",
            f"{CIFAR5M.train:,} images",
            f"{CIFAR5M.test:,} images",
            "the part after those for training",
        ),
        ("full scale, not run here", "c4", f"{C4.train:,} tokens", f"{C4.test:,} tokens", "its own validation set"),
    ]
    return pd.DataFrame(rows, columns=["figure", "data", "training", "testing", "held out how"])


def records(root: Path | None = None) -> pd.DataFrame:
    """Return one row for every shipped result: what ran where, when, for how long, with which versions."""
    rows = []
    for path in sorted(((root or data_root()) / "results").glob("*/*.json")):
        body = json.loads(path.read_text("utf-8"))
        found = body["provenance"]
        row = {"item": path.parent.name, "key": body["key"], "kind": body["experiment"]["kind"]}
        processor, _, cores = str(found["hardware"]).rpartition(", ")
        row |= {"processor": processor, "cores": cores.removesuffix(" cores"), "memory": found.get("memory", "")}
        row["peak"] = f"{found['peak_memory']} MiB" if "peak_memory" in found else ""
        row |= {name: found[name] for name in ("threads", "device", "platform", "python", "seconds", "commit", "date")}
        rows.append(row | {f"version of {name}": version for name, version in found["versions"].items()})
    return pd.DataFrame(rows)


def hardware(found: pd.DataFrame) -> pd.DataFrame:
    """Return what the shipped results of every item ran on."""
    rows, parts = [], ["processor", "cores", "memory", "peak", "threads", "device"]
    for item, group in found.groupby("item", sort=True):
        days = sorted(date[:10] for date in group.date)
        when = days[0] if days[0] == days[-1] else f"{days[0]} to {days[-1]}"
        several = (_several(group[part]) for part in parts)
        rows.append((item, len(group), *several, f"{group.seconds.sum() / 60:.0f}", when))
    frame = pd.DataFrame(rows, columns=["item", "runs", *parts, "minutes in all", "when"])
    return frame.rename(columns={"peak": "peak of a run"})


def software(found: pd.DataFrame) -> pd.DataFrame:
    """Return which versions made how many of the shipped results."""
    rows = [("Python", version, count) for version, count in _counted(found.python)]
    rows += [("operating system", version, count) for version, count in _counted(found.platform)]
    for column in sorted(name for name in found if name.startswith("version of ")):
        rows += [(column.removeprefix("version of "), version, count) for version, count in _counted(found[column])]
    return pd.DataFrame(rows, columns=["software", "version", "results"])


def _counted(values: Iterable[Any]) -> list[tuple[str, int]]:
    return sorted(Counter(str(value) for value in values if isinstance(value, str)).items())


def _several(values: Iterable[str]) -> str:
    """Return the different values, most frequent first."""
    return ", ".join(value or "not recorded" for value, _ in Counter(values).most_common())


def sources() -> list[Path]:
    """Return the files that the tables are made from, so that the page is made anew when one of them changes."""
    pages = [NOTEBOOKS / f"{item}.py" for item in (*STATED, "source")]
    values = [path for item in (*STATED, "source") for path in (NOTEBOOKS / "parameters").glob(f"{item}.*.yaml")]
    return [*pages, *values, *sorted((data_root() / "results").glob("*/*.json")), Path(__file__)]
