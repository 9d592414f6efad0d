"""Named stages of a session, timed, with a table at the end whatever happens."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

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
    """Run stages in order, stop at the first that fails, and print a table of seconds in any case."""
    rows = [(name, "not run", 0.0) for name, _ in stages]
    try:
        for index, (name, function) in enumerate(stages):
            say(f"== {name}")
            start = time.perf_counter()
            verdict = "FAILED"
            try:
                function()
                verdict = "passed"
            finally:
                rows[index] = (name, verdict, time.perf_counter() - start)
                say(f"== {name}: {verdict}, {rows[index][2]:.1f} s\n")
    finally:
        width = max(len(name) for name, _, _ in rows)
        for name, verdict, seconds in rows:
            say(f"{name:{width}s}  {verdict:8s} {seconds:8.1f} s")
        say(f"{'total':{width}s}  {'':8s} {sum(row[2] for row in rows):8.1f} s")
