"""Named stages of a session, timed, with a table at the end whatever happens."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import psutil

from bookkit.terminal import say

#: Numerical libraries take their number of threads from the first of these that they know.
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")

Stage = tuple[str, Callable[[], None]]


def single_threaded() -> dict[str, str]:
    """Return the environment for processes that run side by side: one thread each, so that they do not fight."""
    eigen = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
    return {**dict.fromkeys(THREAD_VARIABLES, "1"), "XLA_FLAGS": eigen}


def shared_programs(work: Path) -> dict[str, str]:
    """Return the environment in which processes share what JAX compiles: each program once, the same bits for all."""
    return {
        "JAX_COMPILATION_CACHE_DIR": str(work / "programs"),
        "JAX_COMPILATION_CACHE_MAX_SIZE": str(2**27),  # with a limit JAX locks the folder while it writes
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0.1",
    }


def run_stages(stages: list[Stage]) -> None:
    """Run stages in order, stop at the first that fails; print seconds by the clock and of the cores in any case.

    Those of the cores are what the whole machine was busy: not all processes that work for a stage are children of this one.
    """
    rows = [(name, "not run", 0.0, 0.0) for name, _ in stages]
    try:
        for index, (name, function) in enumerate(stages):
            say(f"== {name}")
            psutil.cpu_percent()  # the next call tells what has been busy since this one
            start = time.perf_counter()
            verdict = "FAILED"
            try:
                function()
                verdict = "passed"
            finally:
                seconds = time.perf_counter() - start
                rows[index] = (name, verdict, seconds, seconds * psutil.cpu_count() * psutil.cpu_percent() / 100)
                say(f"== {name}: {verdict}, {seconds:.1f} s\n")
    finally:
        table = pd.DataFrame(rows, columns=["stage", "", "seconds", "of the cores"]).set_index("stage")
        table.loc["total"] = ["", *table[["seconds", "of the cores"]].sum()]
        say(table.to_string(float_format="{:.1f}".format))
