"""Seconds from a spectrum, and from a kernel on 1000 samples, to the full report, of the clock and of the processor."""

import tempfile
import time
from collections.abc import Callable

import numpy as np

from neural_scaling.predict import Options, Prediction, from_kernel, from_spectrum, save_report
from neural_scaling.spectra import PowerLaw

LAW = PowerLaw(1.5, 0.5, 5000)
SAMPLES = 1000


def report(name: str, start: Callable[[], Prediction]) -> None:
    """Make a report and print what it took."""
    with tempfile.TemporaryDirectory() as folder:
        begun, busy = time.perf_counter(), time.process_time()
        save_report(start(), f"{folder}/report")
        seconds = time.perf_counter() - begun, time.process_time() - busy
    print(f"{name}: {seconds[0]:.1f} s, {seconds[1]:.1f} s of the processor")


def main() -> None:
    """Time both starts."""
    modes, random, once = LAW.spectrum(), np.random.default_rng(0), Options(store=False)
    report("spectrum", lambda: from_spectrum(modes.eigenvalues, modes.target, options=once))
    features = random.standard_normal((SAMPLES, modes.modes)) * np.sqrt(modes.eigenvalues)
    kernel, targets = features @ features.T, features @ modes.target
    report("kernel", lambda: from_kernel(kernel, targets, options=once))


if __name__ == "__main__":
    main()
