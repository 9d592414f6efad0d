"""Numbers and text as claims show them."""

from __future__ import annotations

import html
import math
import re

import numpy as np

from neural_scaling.base.checks import real, whole

_SIGNS = {
    **{"-&gt; infinity": "→ ∞", "-&gt;": "→", "+-": "±", " ~ ": " ∼ "},
    **{"&lt;=": "≤", "&gt;=": "≥", "&lt;&lt;": "≪", "&gt;&gt;": "≫"},
}
_LETTERS = {
    **{"alpha": "α", "beta": "β", "gamma": "γ", "chi": "χ", "eta": "η", "lambda": "λ", "phi": "φ", "Delta": "Δ"},
    **{"inf": "∞", "sum": "Σ", "int": "∫"},
}
_NAME = rf"(?!sum\b|int\b(?! \w d))(?:{'|'.join(_LETTERS)})|r(?=\d)|[A-Za-z](?=\*?_)"
_SYMBOL = re.compile(rf"(?<![A-Za-z_.])({_NAME})(\*?)(?:_?(\d+)|_\(([\w+-]+)\)|_([A-Za-zα-ω∞]+))?(?!\w)")
_TIE = "\N{NO-BREAK SPACE}"
_DECIMAL = re.compile(r"(?<![\w.])(?:1|(\d[\d.]*))e\+?(-?)0*(\d+)(?!\w)")
#: A minus, and no hyphen of a word, a name or a range.
_MINUS = re.compile(r"(?<![\w)*-])-(?=[\w(.])|(?<= )-(?= )|(?<=\d)-(?=[α-ω])")
#: What stands in parentheses, with up to four pairs inside one another.
_INSIDE = "[^()]*"
for _ in range(4):
    _INSIDE = rf"(?:[^()]|\({_INSIDE}\))*"
_POWER = re.compile(rf"\^(−?)(?:\(({_INSIDE})\)|(\w+(?:[./]\w+)*))")


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


def in_symbols(text: str) -> str:
    """Return plain text as HTML, with symbols, indices and powers for what it spells out, such as ``t^-(1 - 1/alpha)``."""
    text = html.escape(text)
    for plain, sign in _SIGNS.items():
        text = text.replace(plain, sign)
    text = _DECIMAL.sub(lambda match: f"{match[1]}{_TIE}×{_TIE}" * bool(match[1]) + f"10^{match[2]}{match[3]}", text)
    text = re.sub(r"(?<=\w)\*(?=[A-Za-z])", "·", _SYMBOL.sub(_symbol, text))
    text = re.sub(r"(?<=\d) (?=[α-ω])", "", text).replace(" = ", f"{_TIE}={_TIE}")
    return _POWER.sub(_power, _MINUS.sub("−", text))


def _symbol(match: re.Match[str]) -> str:
    name, star, *indices = match.groups(default="")
    index = "".join(indices)
    return _LETTERS.get(name, name) + star + (f"<sub>{_LETTERS.get(index, index)}</sub>" if index else "")


def _power(match: re.Match[str]) -> str:
    sign, formula, name = match.groups(default="")
    if sign and re.search(r"\S\s*[+−-]", re.sub(rf"\({_INSIDE}\)", "()", formula)):
        formula = f"({formula})"  # the sign is that of a sum
    power = _POWER.sub(_power, (sign + formula + name).replace("-", "−"))
    return f'<sup><span class="visually-hidden"> to the power </span>{power}</sup>'


def bound(value: float) -> str:
    """Print the power of ten above a size, at least 1e-9: a bound that rounding noise does not move."""
    size = max(real(value, "value", least=0.0), 1e-9)
    return f"less than {10.0 ** math.ceil(math.log10(size) + 1e-9):.0e}"
