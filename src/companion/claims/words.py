"""Numbers and text as claims show them."""

from __future__ import annotations

import html
import math
import re

import numpy as np

from neural_scaling.base.checks import real, whole


def found(value: float, argument: str) -> float:
    """Return a measured number, NaN and infinity included: what came out of a computation that failed is no bad input."""
    if isinstance(value, float | np.floating) and not math.isfinite(value):
        return float(value)
    return real(value, argument)


def number(value: float | None, digits: int = 2) -> str:
    """Print a number (``0.57``, ``1.2e+04``, ``-`` for none) without rounding noise, which depends on the number of threads."""
    digits = whole(digits, "digits")
    if value is None or math.isnan(found(value, "value")):
        return "-"
    steady = float(f"{found(value, 'value'):.9g}")
    if abs(steady) < 1e-6:
        return "0"
    if not math.isfinite(steady):
        return f"{steady:g}"
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(steady))))
    return f"{steady:.{decimals}f}" if 1e-4 <= abs(steady) < 1e4 else f"{steady:.{digits - 1}e}"


def with_formulas(text: str) -> str:
    """Return text as HTML, with what stands between dollars as formulas."""
    return re.sub(
        r"\$([^$]*)\$", r'<span class="math notranslate nohighlight">\\(\1\\)</span>', html.escape(text, quote=False)
    )


def bound(value: float) -> str:
    """Print the power of ten above a size, at least 1e-9: a bound that rounding noise does not move."""
    size = max(real(value, "value", least=0.0), 1e-9)
    return f"less than {10.0 ** math.ceil(math.log10(size) + 1e-9):.0e}"
