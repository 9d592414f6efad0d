"""Power-law fits, their uncertainty, and windows chosen from theory before looking."""

from neural_scaling.fits.averages import binned_means, moving_average, scatter_excess
from neural_scaling.fits.envelope import ComputeFrontier, compute_frontier
from neural_scaling.fits.held_out import HeldOut, LawComparison, compare_scaling_laws, held_out_error
from neural_scaling.fits.offset import CommonOffsetFit, OffsetFit, fit_common_offset, fit_offset_power_law
from neural_scaling.fits.power_law import LocalSlope, PowerLawFit, fit_power_law, local_slope, resampled_exponent
from neural_scaling.fits.scaling_law import Allocation, ScalingLawFit, fit_scaling_law
from neural_scaling.fits.spectrum import SpectrumFit, TargetFit, fit_spectrum
from neural_scaling.fits.windows import (
    Sensitivity,
    Window,
    frontier_start,
    late_window,
    theory_window,
    window_sensitivity,
)

__all__ = [
    "Allocation",
    "CommonOffsetFit",
    "ComputeFrontier",
    "HeldOut",
    "LawComparison",
    "LocalSlope",
    "OffsetFit",
    "PowerLawFit",
    "ScalingLawFit",
    "Sensitivity",
    "SpectrumFit",
    "TargetFit",
    "Window",
    "binned_means",
    "compare_scaling_laws",
    "compute_frontier",
    "fit_common_offset",
    "fit_offset_power_law",
    "fit_power_law",
    "fit_scaling_law",
    "fit_spectrum",
    "frontier_start",
    "held_out_error",
    "late_window",
    "local_slope",
    "moving_average",
    "resampled_exponent",
    "scatter_excess",
    "theory_window",
    "window_sensitivity",
]
