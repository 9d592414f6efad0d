"""The page of explorers: what they start with; they compute by themselves, in ``explore.js``."""

from __future__ import annotations

from companion.explorer import Json, filled
from companion.parameters import Parameters
from neural_scaling.spectra import PowerLaw
from neural_scaling.theory import TERM_NAMES

_SHARED = """<style>
__STYLE__</style>
<script>
__PLOTS__
__THEORY__
__EXPLORE__</script>
<script type="application/json" class="ns-explore-data">__DATA__</script>
"""
_EXPLORER = """<div class="ns-explorer" data-explorer="{name}">
<noscript><p>This explorer needs JavaScript, which is switched off here.</p></noscript>
<script>nsExplore.start();</script>
</div>
"""


class Plan(Parameters):
    """Parameters of the page."""


def data(plan: Plan) -> Json:
    """Return what the explorers receive: where they start, the ends of the plane, and the names of the terms."""
    spectrum = PowerLaw(plan.alpha, plan.beta, plan.table_modes).spectrum()
    rows = zip(spectrum.eigenvalues, spectrum.target, strict=True)
    text = "\n".join(["lambda, w", *(f"{eigenvalue:.4g}, {target:.4g}" for eigenvalue, target in rows)])
    names = ("alpha", "beta", "gamma", "eta", "time", "width", "batch", "compute", "kink")
    return {
        "start": {name: getattr(plan, name) for name in names}
        | {"end": plan.time, "alpha2": plan.alpha_beyond, "beta2": plan.beta_beyond}
        | {"regime": "rich", "modes": "law", "table": text},
        "plane": {"alpha": [1.05, plan.largest_capacity], "beta": [0.05, plan.largest_source]},
        "terms": TERM_NAMES,
    }


def shared(plan: Plan) -> str:
    """Return the style, script and data of all explorers, which the page needs once, before the first."""
    return filled(_SHARED, data(plan))


def explorer(name: str) -> str:
    """Return one explorer: plane, allocation, edge or spectrum."""
    return _EXPLORER.format(name=name)
