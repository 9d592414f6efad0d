"""Scaling laws on the points that Besiroglu et al. read from Figure 4 of Hoffmann et al., whose values their fit is to give.

``python tests/published_points.py`` fetches the points and prints what is found; ``--keep`` writes it for the page on own curves.
No licence goes with the points: they are not part of this repository.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import pandas as pd

from neural_scaling.base.paths import datasets_root
from neural_scaling.data.download import fetch, sha256_of
from neural_scaling.data.problems import SourceFailed
from neural_scaling.fits import compare_scaling_laws, fit_scaling_law
from neural_scaling.runs.provenance import commit, hardware

KEPT = Path(__file__).resolve().parents[1] / "data" / "benchmarks" / "published_points.json"
COMMIT = "92258837425e1b5f2851d624287f0120583a3d0e"
ADDRESS = f"https://github.com/epoch-research/analyzing-chinchilla/raw/{COMMIT}/data/svg_extracted_data.csv"
SHA256 = "193478df4e90f040016431996c45682659306840ecdadf83cfb9cd5ca0aa1b30"
OUTLIERS = 5  # runs with the least data for their size, left out as in their analysis


def points(path):
    """Return N, D, L and the number of the run, each of shape (n,), of a file of points."""
    found = pd.read_csv(path).dropna()
    size, compute, loss = (found[name].to_numpy() for name in ("Model Size", "Training FLOP", "loss"))
    data = compute / (6 * size)
    kept = np.argsort(np.argsort(data / size)) >= OUTLIERS
    return size[kept], data[kept], loss[kept], np.arange(np.count_nonzero(kept))


def measured(chosen, resamples=1000):
    """Return the fits and comparisons that the page shows."""
    laws = ("chinchilla", "lazy", "rich")
    fits = {law: fit_scaling_law(*chosen, law=law, resamples=resamples) for law in laws}
    compared = {law: compare_scaling_laws(*chosen, laws=("chinchilla", law), resamples=resamples) for law in laws[1:]}
    names = {"runs left out in turn": "left_out", "the largest N": "largest_N", "the largest D": "largest_D"}
    return {
        "fits": {law: {name: [fit[name], *fit.interval(name)] for name in fit.names} for law, fit in fits.items()},
        "compared": {
            law: {
                unseen: {
                    "error": one.error.tolist(), "difference": one.difference, "interval": list(one.interval),
                    "better": one.better,
                }
                for unseen, one in ((unseen, getattr(found, name)) for unseen, name in names.items())
            }
            for law, found in compared.items()
        },
    }  # fmt: skip


def main():
    """Measure, print, keep if asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keep", action="store_true", help=f"write what is found to {KEPT.name}")
    parser.add_argument("--points", type=Path, help="the file of points, if it is here already")
    asked = parser.parse_args()
    try:
        path = asked.points or fetch(ADDRESS, SHA256, datasets_root(), print)
    except SourceFailed as error:
        parser.error(f"{error}; fetch {ADDRESS} elsewhere and give it as --points")
    if not path.is_file() or sha256_of(path) != SHA256:
        parser.error(f"--points: {path} is not the file at {ADDRESS}; fetch it again")
    provenance = {"commit": commit(), "hardware": hardware(), "points": ADDRESS, "sha256": SHA256}
    found = {"provenance": provenance} | measured(points(path))
    print(json.dumps(found, indent=1))
    if asked.keep:
        KEPT.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
