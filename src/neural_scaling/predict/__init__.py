"""Your own spectrum, kernel, network or loss curves: exponents, learning curves, step sizes and the best use of compute.

:func:`from_spectrum`, :func:`from_kernel`, :func:`from_network` and :func:`from_curves` return a :class:`Prediction`, and
:func:`save_report` writes it as a page that opens offline. Import from ``neural_scaling.predict``.
"""

from neural_scaling.predict.estimate import Estimate, estimate_kernel, estimate_spectrum
from neural_scaling.predict.forecast import BestUse, Curve, Range
from neural_scaling.predict.prediction import Bounds, FittedCurves, Options, Prediction
from neural_scaling.predict.problem import from_curves, from_kernel, from_network, from_spectrum
from neural_scaling.predict.report import save_report
from neural_scaling.predict.tail import extended

__all__ = [
    "BestUse",
    "Bounds",
    "Curve",
    "Estimate",
    "FittedCurves",
    "Options",
    "Prediction",
    "Range",
    "estimate_kernel",
    "estimate_spectrum",
    "extended",
    "from_curves",
    "from_kernel",
    "from_network",
    "from_spectrum",
    "save_report",
]
