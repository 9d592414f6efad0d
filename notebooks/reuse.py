# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# (reuse-page)=
# # Training on the same samples
#
# **The paper says.** The mean field theory extends to full-batch gradient descent on $P$ fixed samples and gives processes for
# test and training loss (paper eqs. 32-41), without a figure. Training to the end leaves a test loss $P^{-\alpha \min(2, \beta)}$
# (paper eq. 78).
#
# **Here.** Solved in closed form, the theory gives test loss, training loss and their gap at any $P$ and $N$, lazy and rich.
# Richness speeds up learning and overfitting alike: a rich network reaches the minimum of the test loss earlier, the minimum is no
# lower, and the end is the same. At $P = N$ that end is infinite.
#
# <!-- here: reuse.test.gamma-1.most, reuse.bottleneck.prefactor, reuse.limit.richness -->

# %% tags=["hide-input", "parameters"]
scale: "Scale" = "small"  # small, or full for more samples, wider networks, more seeds
alpha: "Capacity" = 1.5  # capacity (ours, as everything on this page)
beta: "Source" = 0.5  # source
modes: "Count" = 1024  # M
eta: "Positive" = 0.1  # learning rate
gammas: "FromLazy" = [0.0, 1.0]  # richness, ascending from 0
width: "Count" = 32  # N of the learning curves
samples: "RisingCounts" = [8, 32]  # P of the learning curves, ascending
steps: "Count" = 1024  # last step of the simulations
seeds: "Seeds" = 16  # simulations per learning curve
steps_theory: "Count" = 64  # last step of the theory in unit steps; beyond, gradient flow
width_plateau: "Count" = 128  # N of the study of the bottleneck in P
samples_plateau: "RisingCounts" = [8, 16]  # P of that study, ascending
seeds_plateau: "Seeds" = 24  # simulations per P of that study

# %% tags=["hide-input"]
import pandas as pd
from IPython.display import display

from companion import claims as ledger
from companion import notebook
from companion.pages import reuse as page
from companion.tables import Table
from neural_scaling import runs

plan = notebook.plan(page.Plan, globals())
results = plan.results()

# %% tags=["hide-input", "provenance"]
print(notebook.provenance(plan, seeds=range(max(seeds, seeds_plateau))))
print(runs.describe(list(results.values())))

# %% [markdown]
# ## The model on fixed samples
#
# The student is that of [the model](model), but every step uses the same $P$ samples: with $\Psi \in \mathbb R^{P \times M}$ their
# features,
#
# $$
# \begin{aligned}
# v^1 &= \Psi v^0, & v^2 &= \tfrac1P \Psi^\top v^1, \\
# v^3 &= A(0)\, v^2, & v^4 &= \tfrac1N A(0)^\top v^3 ,
# \end{aligned}
# $$
#
# training loss $|v^1|^2/P$, test loss $v^{0\top} \Lambda v^0$. The simulation draws $P$ Gaussian samples once;
# {py:mod}`neural_scaling.models.sample_reuse` says how all of it is reduced to matrices of size $\min(N, P)$.
#
# (reuse-derivation)=
# ## The theory in closed form
#
# Averaging over $\Psi$ and $A(0)$ turns each of the four fields into Gaussian noise plus a response to its own past
# (paper eqs. 37-41). On steps $0 \dots T$ all of it is linear algebra with lower-triangular matrices. With $u^1, u^2, u^3, u^4$ the
# noises,
#
# $$
# \begin{aligned}
# v^1 &= R_1 u^1, \qquad v^2_k = u^2_k + \lambda_k R_1 v^0_k, \\
# v^3 &= R_3 u^3, \qquad v^4_k = u^4_k + R_3 v^2_k, \\
# \langle u^1 u^{1\top}\rangle &= C_0, \qquad \langle u^2_k u^{2\top}_k\rangle = \tfrac{\lambda_k}{P} C_1, \\
# \langle u^3 u^{3\top}\rangle &= C_2, \qquad \langle u^4_k u^{4\top}_k\rangle = \tfrac1N C_3,
# \end{aligned}
# $$ (eq-reuse-fields)
#
# and the dynamics of $w$ and $A$ is as for fresh samples: $v^0_k = w^*_k 1 - X v^4_k$ with
# $S = (I - \eta\gamma\Theta L[C_3])^{-1}\Theta$, $C_w = S C_3 S^\top$, $X = S + \eta\gamma L[C_w]$, where $\Theta_{ts} = \eta$ for $t > s$ and
# $L[\cdot]$ is the strictly lower triangle ({py:mod}`neural_scaling.dmft.march`). Inserting the fields into each other,
#
# $$
# \begin{aligned}
# v^0_k &= H_k \big( w^*_k 1 - X u^4_k - X R_3 u^2_k \big), \\
# H_k &= (I + \lambda_k X R_3 R_1)^{-1} .
# \end{aligned}
# $$ (eq-reuse-error)
#
# ### The responses commute
#
# The responses are derivatives of this: $R_1 = (I - R_{02}/P)^{-1}$ with $R_{02} = -\sum_k \lambda_k H_k X R_3$ and
# $R_3 = (I - R_{24}/N)^{-1}$ with $R_{24} = -\sum_k \lambda_k R_1 H_k X$. These are two nested fixed points of matrices that do not
# obviously commute. But they do. Put
#
# $$
# \begin{aligned}
# Y &= X R_3 R_1, \\
# K_k &= \lambda_k Y (I + \lambda_k Y)^{-1} = I - H_k .
# \end{aligned}
# $$
#
# Then $R_1^{-1} = I + \frac1P \sum_k \lambda_k H_k X R_3$ $= I + \frac1P \sum_k K_k R_1^{-1}$, so $R_1 = I - \frac1P\sum_k K_k$ is a function of
# $Y$ and commutes with every $K_k$; with that $R_3^{-1} = I + \frac1N \sum_k R_1 K_k R_1^{-1} R_3^{-1}$ gives
#
# $$
# \begin{aligned}
# R_1 &= I - \frac1P \sum_k K_k, \\
# R_3 &= I - \frac1N \sum_k K_k,
# \end{aligned}
# $$ (eq-reuse-responses)
#
# and $X = Y (R_3 R_1)^{-1}$ is a function of $Y$ too. $N$ and $P$ enter the responses in the same way.
#
# ### The covariances
#
# Let $\hat C_2 = R_1^{-1} C_2 R_1^{-\top}$. In $C_2 = \sum_k \langle v^2_k v^{2\top}_k\rangle$ the noise of the data enters through
# $I - \lambda_k R_1 H_k X R_3 = H_k$, so
#
# $$
# \begin{aligned}
# F_k &= (w^*_k)^2\, 1 1^\top + \tfrac1N X C_3 X^\top, \\
# C_0 &= \sum_k \lambda_k H_k F_k H_k^\top + \tfrac1P \sum_k K_k C_0 K_k^\top, \\
# \hat C_2 &= \sum_k \lambda_k^2 H_k F_k H_k^\top \\
# &\quad + \tfrac1P \sum_k \lambda_k H_k C_0 H_k^\top, \\
# C_3 &= R_3 R_1\, \hat C_2\, (R_3 R_1)^\top, \\
# C_1 &= R_1 C_0 R_1^\top .
# \end{aligned}
# $$ (eq-reuse-covariances)
#
# These are the equations of fresh samples with $R_3 \to R_3 R_1$ and with the whole $C_0$ over $P$ where a fresh batch has only
# its diagonal over $B$: the noise of a sample that is seen again is remembered. Every row needs earlier rows only, so one pass
# solves them. Tests compare the identities and the pass with a fixed point of whole matrices that uses neither. Test and
# training loss are the diagonals of $C_0$ and $C_1$.
#
# ## Learning curves

# %% tags=["hide-input"]
found = [page.curves(plan, gamma, results) for gamma in gammas]
plateaus = [page.curves(plan, gamma, results, plateau=True) for gamma in gammas]

# %% mystnb={"figure": {"caption": "Test loss (left) and training loss (right) against steps for several numbers of samples, lazy (above) and rich (below). Lines and bands: mean and standard deviation over simulations. Dashed: mean field theory, beyond its last whole step as gradient flow.", "name": "fig-reuse-curves"}, "image": {"alt": "Four log-log panels of loss against steps. Test losses fall, pass through a minimum and rise to a plateau, higher for fewer samples. Training losses keep falling, to zero where there are fewer samples than parameters. Dashed theory curves lie on the means."}} tags=["remove-input"]
display(page.curves_figure(found))

# %% [markdown]
# The table has each seed's loss over the theory, averaged over the logarithm of the step, with 95 % errors. The theory is the
# leading order for large $N$ and $P$, so a small departure at $P$ of order ten is expected. Training losses are compared until the
# theory has them at a twentieth of the first one; below that single seeds decide the mean.

# %% tags=["hide-input"]
agreement = [page.agreement(one) for one in found]
heads = {"test": "test", "test_interval": "95 % of test", "train": "training", "train_interval": "95 % of training"}
shown = pd.concat([*agreement, *(page.agreement(one) for one in plateaus)])
Table(shown, "Simulated mean over theory", heads, dict.fromkeys(heads, ".3f"))

# %% [markdown]
# ## The gap
#
# At the start the samples are as good as new and the gap is of order $1/P$. It then grows: $R_1 = I - \frac1P \sum_k K_k$ counts the
# modes learned so far. Each learned mode uses up one sample, and the training loss is what that leaves of the test loss.

# %% mystnb={"figure": {"caption": "Test loss minus training loss against steps, lazy (above) and rich (below). Bands: two standard errors of the simulated mean. Dashed: mean field theory, beyond its last whole step as gradient flow.", "name": "fig-reuse-gap"}, "image": {"alt": "Two panels of the gap against the logarithm of the steps. It grows from near zero, faster for fewer samples and for the rich network, and saturates except where samples and parameters are equal in number."}} tags=["remove-input"]
display(page.gap_figure(found))

# %% [markdown]
# (reuse-stopping)=
# ## When to stop
#
# The minimum of the mean test loss over the recorded steps, for the same draws at both richnesses, beside the last step and
# the limit. At the last step the theory is gradient flow.

# %% tags=["hide-input"]
heads = {
    "best_step": "best step",
    "expected_step": "best step, theory",
    "best": "loss there",
    "expected_best": "loss there, theory",
    "last": "last loss",
    "expected_last": "last loss, theory",
}
formats = dict.fromkeys(("best", "expected_best", "last", "expected_last", "limit"), ".3f")
formats |= dict.fromkeys(("best_step", "expected_step"), ".0f")
Table(pd.concat([page.stopping(one) for one in found]), heads=heads, formats=formats)

# %% [markdown]
# (reuse-limit)=
# ## The limit of long training
#
# As $t \to \infty$ the matrix $Y$ acts as a number $y$ that grows until the smaller of the two responses in
# {eq}`eq-reuse-responses` vanishes: $\sum_k K_k = n$, $n = \min(N, P)$. With $d = \sum_k K_k^2$ the covariances become two linear
# equations,
#
# $$
# \begin{aligned}
# \big(1 - \tfrac dP\big)\, C_0 - \frac{n - d}{N}\, c &= \sum_k \frac{\lambda_k (w^*_k)^2}{(1 + \lambda_k y)^2}, \\
# \big(1 - \tfrac dN\big)\, c - \frac{n - d}{P}\, C_0 &= \sum_k \frac{(w^*_k)^2 K_k^2}{y},
# \end{aligned}
# $$ (eq-reuse-limit)
#
# $c = y \hat C_2$, with the training loss $(1 - n/P)^2 C_0$. Nothing here depends on the richness. The determinant vanishes at
# $N = P$, where the limit is infinite. Simulated draws have a limit too, the smallest least-squares solution, which needs no
# training.

# %% tags=["hide-input"]
rows, plateau_rows = page.limits(plan, found[0]), page.limits(plan, plateaus[0])
heads = {"error": "standard error", "interval": "95 % of the ratio", "printed": "paper eq. 78 as printed"}
formats = {"simulated": ".4f", "error": ".4f", "theory": ".4f", "ratio": ".3f", "interval": ".3f", "printed": ".4f"}
Table(pd.concat([rows, plateau_rows]), heads=heads, formats=formats)

# %% mystnb={"figure": {"caption": "Test loss against the number of samples at three steps and in the limit, lazy (above) and rich (below). Dots: mean of simulations with two standard errors. Dashed: theory at the same step and P, joined by straight lines. Line: theory of the limit.", "name": "fig-reuse-peak"}, "image": {"alt": "Two panels of test loss against the number of samples. At early and middle steps the loss falls with more samples. The limit diverges where samples equal parameters, and the last simulated step is on its way there, further for the rich network."}} tags=["remove-input"]
display(page.peak_figure(plan, found, (8, steps_theory, steps)))

# %% [markdown]
# ## The bottleneck in P
#
# For $N \to \infty$ the second equation of {eq}`eq-reuse-limit` drops out and the test loss is
#
# $$
# \begin{aligned}
# C_0 &= \frac{1}{1 - d/P} \sum_k \frac{\lambda_k (w^*_k)^2}{(1 + \lambda_k y)^2} \\
# &\sim P^{-\alpha \min(2, \beta)}, \qquad y \sim P^\alpha .
# \end{aligned}
# $$
#
# The printed sum (paper eq. 78) lacks the prefactor. It is of order one: from $y\, \mathrm d n/\mathrm d y = n - d$ and
# $n \sim y^{1/\alpha}$ follows $1 - d/P \to 1/\alpha$.
#
# At a finite width $N > P$ the first equation adds $\frac{n-d}{N} c$. For a hard task this is of relative order $P/N$. For an easy
# one $c$ is the norm of what has been learned over $y$, and the addition is $P^{1-\alpha}/N$: the power shows only for
# $N \gg P^{1 + \alpha(\min(2, \beta) - 1)}$. For $N \ll P$ the second equation keeps the loss at $N^{-\alpha\min(1, \beta)}$: responses
# are symmetric in $N$ and $P$, losses are not.

# %% mystnb={"figure": {"caption": "The bottleneck in P at a width much larger than P. Above: test loss against steps, with the theory (dashed) and its limit (grey bars). Below: the limit against P, of simulated draws, of the theory at this width and at infinite width, and of paper eq. 78 as printed; dotted the predicted power.", "name": "fig-reuse-plateau"}, "image": {"alt": "Upper panel: test losses for each number of samples level off, rich ones earlier, on the same plateau. Lower panel: the plateaus fall with the number of samples along the theory at this width, above paper eq. 78 by a constant factor."}} tags=["remove-input"]
display(page.plateau_figure(plan, plateaus))

# %% tags=["hide-input", "nbval-check-output"]
Table(page.bottleneck(plan), "The limit at infinite width", formats={"found": ".2f", "predicted": ".2f"})

# %% [markdown]
# ## Claims
#
# A ratio of losses counts as confirmed within 5 %.

# %% mystnb={"markdown_format": "myst"} tags=["hide-input"]
ledger.show(
    [
        *(claim for one in agreement for claim in page.agreement_claims(plan, one)),
        page.limit_claim(plan, plateau_rows),
        page.richness_claim(plan, [*found, *plateaus]),
    ]
)

# %% [markdown]
# ## What was chosen
#
# The paper shows no simulation with reused samples, so all sizes are ours. The learning rate is small enough that no run comes
# to [the edge of stability](fig-2-edge-section): fitting a hard target to the last sample makes the kernel of a rich network grow, and at three
# times this learning rate single seeds show it by spikes of their training loss. At small scale widths, numbers of samples,
# steps and seeds are smaller.
