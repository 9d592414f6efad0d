"""Power-law fits, their uncertainty, and windows chosen from theory before looking."""

from neural_scaling.fits.envelope import ComputeFrontier, compute_frontier
from neural_scaling.fits.offset import CommonOffsetFit, OffsetFit, fit_common_offset, fit_offset_power_law
from neural_scaling.fits.power_law import LocalSlope, PowerLawFit, fit_power_law, local_slope
from neural_scaling.fits.spectra import SpectrumFit, TargetFit, fit_spectrum
from neural_scaling.fits.windows import Sensitivity, Window, theory_window, window_sensitivity

__all__ = [
    "CommonOffsetFit",
    "ComputeFrontier",
    "LocalSlope",
    "OffsetFit",
    "PowerLawFit",
    "Sensitivity",
    "SpectrumFit",
    "TargetFit",
    "Window",
    "compute_frontier",
    "fit_common_offset",
    "fit_offset_power_law",
    "fit_power_law",
    "fit_spectrum",
    "local_slope",
    "theory_window",
    "window_sensitivity",
]
