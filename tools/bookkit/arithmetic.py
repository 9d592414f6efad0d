"""A second set of arithmetic kernels that this processor runs as well: results must be the same whichever computes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping

from bookkit.stages import single_threaded

#: OpenBLAS kernels without the widest instructions of the one that it chooses by itself; all others have no second here.
_NARROWER = {
    "SapphireRapids": "Haswell",
    "Cooperlake": "Haswell",
    "SkylakeX": "Haswell",
    "Zen": "Sandybridge",
    "Haswell": "Sandybridge",
}
#: What keeps the other libraries to the instructions of that kernel.
_INSTRUCTIONS = {
    "Haswell": {
        "NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512_ICL AVX512_SPR",
        "ATEN_CPU_CAPABILITY": "avx2",
        "ONEDNN_MAX_CPU_ISA": "AVX2",
        "XLA_FLAGS": "--xla_cpu_max_isa=AVX2",
    },
    "Sandybridge": {
        "NPY_DISABLE_CPU_FEATURES": "X86_V3 X86_V4 AVX512_ICL AVX512_SPR",
        "ATEN_CPU_CAPABILITY": "default",
        "ONEDNN_MAX_CPU_ISA": "SSE41",
        "XLA_FLAGS": "--xla_cpu_max_isa=AVX",
    },
}
_ASK = """
import numpy, scipy.linalg, threadpoolctl
found = {module.get("architecture") or module["internal_api"] for module in threadpoolctl.threadpool_info()
         if module["user_api"] == "blas"}
print(" and ".join(sorted(found)))
"""


def kernel(environment: Mapping[str, str]) -> str:
    """Return the name of the kernel that NumPy and SciPy use in a process with these variables."""
    command = [sys.executable, "-c", _ASK]
    run = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, check=True)
    return run.stdout.strip() or "of the system"


def second() -> tuple[dict[str, str] | None, str]:
    """Return the environment of the second kernels, None if there are none, and a sentence on which there are."""
    own = kernel({})
    name = _NARROWER.get(own, "")
    chosen = {**single_threaded(), "OPENBLAS_CORETYPE": name}
    if not name or kernel(chosen) != name:
        return None, f"the kernel {own} is the only one that can be chosen here"
    instructions = _INSTRUCTIONS[name]
    flags = f"{chosen['XLA_FLAGS']} {instructions['XLA_FLAGS']}"
    return {**chosen, **instructions, "XLA_FLAGS": flags}, f"kernel {name} in place of {own}"
