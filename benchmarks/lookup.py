"""Time to look up 1000 shipped results, files in the disk cache."""

import math
import os
import tempfile
import time
from pathlib import Path

import numpy as np

from neural_scaling.models.runs import InfiniteLimitRun
from neural_scaling.runs import Index, canonical_json, experiment_key, write_result


def main() -> None:
    """Store 1000 results, look all of them up, print the seconds."""
    with tempfile.TemporaryDirectory() as root:
        os.environ["NEURAL_SCALING_DATA"] = root
        os.environ["NEURAL_SCALING_CACHE"] = f"{root}/cache"
        runs = [InfiniteLimitRun(1.5, 0.4, math.inf, 0.02, 0.001 * i, 10_000) for i in range(1000)]
        arrays = {name: np.linspace(0.0, 1.0, 160) for name in ("step", "loss", "weight_norm", "sharpness")}
        for run in runs:
            write_result(
                Path(root) / "results" / "figxx", experiment_key(run), canonical_json(run), arrays, {"seconds": 1.0}
            )
        started = time.perf_counter()
        index = Index("figxx")
        found = sum(index.look_up(run).found is not None for run in runs)
        print(f"{found} shipped results looked up in {time.perf_counter() - started:.2f} s")


if __name__ == "__main__":
    main()
