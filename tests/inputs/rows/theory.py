"""Closed forms."""

import math

from inputs.kinds import Shared, array, choice, count, flag, instance, real, several, text, whole
from inputs.table import row
from neural_scaling import theory
from neural_scaling.spectra import PowerLaw

MODES = Shared(lambda: PowerLaw(1.5, 0.5, 20).spectrum().quadrature())
TERMS = theory.loss_terms(1.5, 0.5, True)
OPTIMUM = theory.frontier(TERMS, 9.0)
LATE = Shared(lambda: theory.self_similar_solution(1.5, 0.5, 1.0))

alpha, beta = real(1.5, above=1), real(0.5, above=0)
gamma, eta = real(1.0, least=0), real(0.125, above=0)
rich, version = flag(True), choice("corrected")
terms = several(TERMS)
modes = instance(MODES)
size = real(4.0, above=0)
times = array([0.5, 2.0], above=0)
rising = array([0.5, 2.0], above=0, ordered=True)
any_shape = array([[0.5, 2.0]], axes=None, above=0)
scale = array([4.0, math.inf], axes=None, above=0, infinite=True)
power = real(-0.5)

ROWS = [
    row(theory.chi, beta=any_shape, rich=rich),
    row(theory.time_multiplier, beta=any_shape, rich=rich),
    row(theory.chi_level, beta=any_shape, level=count(2, 0)),
    row(theory.regime, alpha=alpha, beta=beta),
    row(theory.kernel_growth_exponent, beta=beta, rich=rich),
    row(theory.modes_learned_exponent, alpha=alpha, beta=beta, rich=rich),
    row(theory.rkhs_norm_squared, alpha=alpha, beta=real(1.5, above=0)),
    row(theory.bottleneck_exponent, alpha=alpha, beta=beta, version=version),
    row(theory.transient_exponent, alpha=alpha, beta=beta, rich=rich, version=version),
    row(theory.sgd_exponent, alpha=alpha, beta=beta, rich=rich, version=version),
    row(theory.loss_terms, alpha=alpha, beta=beta, rich=rich, version=version),
    row(theory.loss, terms=terms, t=scale, N=scale, B=scale, eta=eta),
    row(
        theory.PowerTerm,
        name=text("a term"),
        coefficient=power,
        t_exponent=power,
        N_exponent=power,
        B_exponent=power,
        eta_exponent=power,
    ),
    row(theory.compute_optimum, alpha=alpha, beta=beta, rich=rich, finite_batch=rich),
    row(
        theory.frontier,
        terms=several(TERMS, TERMS[:1]),
        log_compute=any_shape,
        B=real(4.0, above=0, infinite=True),
        eta=eta,
    ),
    row(theory.table_frontier, alpha=alpha, beta=beta, rich=rich, version=version, log_compute=any_shape),
    row(
        theory.balancing_terms,
        terms=terms,
        optimum=instance(OPTIMUM, theory.frontier(TERMS, [9.0, 10.0])),
        share=real(0.25, above=0, below=1),
    ),
    row(theory.phase, alpha=alpha, beta=beta, rich=rich),
    row(theory.phases, rich=rich),
    row(theory.super_easy_boundary, alpha=array([1.5, 2.0], axes=None, least=1)),
    row(theory.effective_scale, modes=modes, size=size.also(25.0)),
    row(theory.model_bottleneck, modes=modes, N=size),
    row(theory.printed_bottleneck, modes=modes, size=size),
    row(theory.data_bottleneck, modes=modes, P=size),
    row(theory.lazy_loss, modes=modes, time=times),
    row(theory.lazy_width_loss, modes=modes, N=count(4), time=array([0.5, 1.0, 2.0], above=0, ordered=True)),
    row(theory.lazy_sgd_loss, modes=modes, eta=eta, batch=count(4), steps=whole(3), fourth_moment=flag(True)),
    row(theory.transient_coefficient, modes=modes, time=times, fourth_moment=flag(True)),
    row(theory.noise_coefficient, modes=modes, time=times, fourth_moment=flag(True)),
    row(theory.kernel_scale, beta=beta, gamma=gamma, eta=eta, step=any_shape),
    row(theory.effective_time, beta=beta, gamma=gamma, eta=eta, step=any_shape),
    row(theory.modes_learned, alpha=alpha, beta=beta, gamma=gamma, eta=eta, step=any_shape),
    row(theory.step_of_modes, alpha=alpha, beta=beta, gamma=gamma, eta=eta, modes=size),
    row(theory.edge_of_stability_step, beta=beta, gamma=gamma, eta=eta, largest_eigenvalue=real(1.0, above=0)),
    row(theory.mode_sum, alpha=alpha, beta=beta, x=any_shape),
    row(theory.self_consistent_curve, alpha=alpha, beta=beta, gamma=gamma, time=rising),
    row(theory.level_curve, alpha=alpha, beta=beta, gamma=gamma, time=rising, level=count(1, 0)),
    row(theory.unlearned_fraction, x=any_shape, nu=real(0.25, least=0, below=1)),
    row(theory.self_similar_solution, alpha=alpha, beta=real(0.5, above=0, below=1), gamma=real(1.0, above=0)),
    row(theory.SelfSimilarSolution.closure_ratio, LATE, exact_rate=flag(False)),
    row(theory.limiting_scale, alpha=alpha, beta=real(1.5, above=0), gamma=gamma),
    *(
        row(method, LATE, time=any_shape)
        for method in (
            theory.SelfSimilarSolution.clock,
            theory.SelfSimilarSolution.kernel,
            theory.SelfSimilarSolution.loss,
            theory.SelfSimilarSolution.modes_learned,
        )
    ),
]

EXEMPT = {
    theory.ComputeOptimum: "a result that users read",
    theory.Frontier: "a result that users read",
    theory.Phase: "a result that users read",
    theory.SelfConsistentCurve: "a result that users read",
    theory.SelfSimilarSolution: "a result that users read",
}
