"""Closed forms of the theory: exponents, the loss law, phases and the compute-optimal frontier.

Needs NumPy and SciPy only. Equation numbers are those of arXiv 2409.17858v1.
"""

from neural_scaling.theory.compute_optimal import (
    ComputeOptimum,
    Frontier,
    balancing_terms,
    compute_optimum,
    frontier,
    table_frontier,
)
from neural_scaling.theory.exponents import (
    Regime,
    chi,
    chi_level,
    kernel_growth_exponent,
    modes_learned_exponent,
    regime,
    rkhs_norm_squared,
    time_multiplier,
)
from neural_scaling.theory.finite_size import (
    data_bottleneck,
    effective_scale,
    lazy_loss,
    lazy_sgd_loss,
    lazy_width_loss,
    model_bottleneck,
    noise_coefficient,
    printed_bottleneck,
    transient_coefficient,
)
from neural_scaling.theory.kernel_growth import (
    edge_of_stability_step,
    effective_time,
    kernel_scale,
    modes_learned,
    step_of_modes,
)
from neural_scaling.theory.loss_law import (
    TERM_NAMES,
    PowerTerm,
    Version,
    bottleneck_exponent,
    loss,
    loss_terms,
    sgd_exponent,
    transient_exponent,
)
from neural_scaling.theory.phases import Phase, phase, phases, super_easy_boundary
from neural_scaling.theory.self_consistent import SelfConsistentCurve, level_curve, mode_sum, self_consistent_curve
from neural_scaling.theory.self_similar import (
    SelfSimilarSolution,
    limiting_scale,
    self_similar_solution,
    unlearned_fraction,
)

__all__ = [
    "TERM_NAMES", "ComputeOptimum", "Frontier", "Phase", "PowerTerm", "Regime", "SelfConsistentCurve",
    "SelfSimilarSolution", "Version", "balancing_terms", "bottleneck_exponent", "chi", "chi_level", "compute_optimum",
    "data_bottleneck", "edge_of_stability_step", "effective_scale", "effective_time", "frontier",
    "kernel_growth_exponent", "kernel_scale", "lazy_loss", "lazy_sgd_loss", "lazy_width_loss", "level_curve",
    "limiting_scale", "loss", "loss_terms", "mode_sum", "model_bottleneck", "modes_learned", "modes_learned_exponent",
    "noise_coefficient", "phase", "phases", "printed_bottleneck", "regime", "rkhs_norm_squared",
    "self_consistent_curve", "self_similar_solution", "sgd_exponent", "step_of_modes", "super_easy_boundary",
    "table_frontier", "time_multiplier", "transient_coefficient", "transient_exponent", "unlearned_fraction",
]  # fmt: skip
