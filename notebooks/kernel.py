# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# (kernel-page)=
# # How the kernel grows
#
# **The paper says.** Feature learning adds a spike of low rank to the kernel and multiplies its eigenvalues by a growing scale
# (paper eq. 55). On a hard task the scale grows as $t^{1-\chi}$ without end, modes up to $k_* \sim t^{(2-\chi)/\alpha}$ are learned
# (paper eq. 11), and the spike is subleading (paper eq. 53).
#
# **Here.** All powers hold. Gradient flow keeps the spike *exactly* of rank one, and the late dynamics of a hard task can be
# solved with its prefactors. Three statements need a correction: the term called subleading has the *same* power as the
# dominant one, the spike of a hard task does not settle, and paper eq. 55 ends twice too large. No exponent changes.
#
# <!-- here: kernel.level.exact, kernel.scale.beta-0.4 -->

# %% tags=["hide-input", "parameters"]
scale: "Scale" = "small"  # the only one: nothing here takes long
alpha: "Capacity" = 1.5  # capacity (ours)
gamma: "Positive" = 1.0  # richness (ours)
hard: "HardSources" = [0.2, 0.4, 0.6]  # sources below 1 (ours)
easy: "EasySources" = [1.2, 1.5]  # sources above 1 (ours)
quoted_hard: "HardSource" = 0.4  # the one of the hard tasks that is shown alone
quoted_easy: "EasySource" = 1.5  # the one of the easy tasks that is shown alone
last: "Positive" = 1.0e9  # last eta t of the gradient flows
small_gamma: "Positive" = 1.0e-3  # richness at which the expansion in gamma, paper eq. 55, is tested
levels: "Count" = 3  # highest level of approximation
width: "Count" = 256  # N of the simulated networks
modes: "Count" = 1024  # M of the simulated networks
seeds: "Seeds" = 8  # simulated networks
eta: "Positive" = 0.05  # learning rate of the simulated networks
times: "Rising" = [1.0, 2.0, 5.0, 10.0, 20.0]  # eta t at which their kernel is measured
shown: "RisingCounts" = [1, 2, 5, 20]  # modes whose effective kernel is measured
small_width: "Count" = 24  # N of the networks that are diagonalized and compared
small_modes: "Count" = 200  # M of these networks
etas: "Falling" = [0.1, 0.05, 0.025, 0.0125]  # learning rates of the network whose spike is diagonalized, descending
small_time: "Positive" = 10.0  # eta t at which it is diagonalized
batch: "Count" = 8  # B of the comparison of the two forms of the model
steps: "Count" = 400  # steps of that comparison
single_modes: "RisingCounts" = [64, 256]  # M of the networks with N = 1
single_eta: "Positive" = 0.1  # learning rate of these networks
single_steps: "Count" = 40000  # steps of these networks
single_seeds: "Seeds" = 3  # networks with N = 1 for each M

# %% tags=["hide-input"]
from IPython.display import display

from companion import claims as ledger
from companion import full_model, level_curves, notebook
from companion.pages import kernel as page
from companion.tables import Table

plan = notebook.plan(page.Plan, globals())

# %% tags=["hide-input", "provenance"]
print(notebook.provenance(plan, seeds=range(seeds)))

# %% [markdown]
# (kernel-rank-one)=
# ## The spike has rank one
#
# Write $A = B A(0)$. Gradient flow on $w$ and $B$ leaves $B B^\top - \frac{\gamma}{N} w w^\top$ at its initial value, the identity: the two
# terms change at the same rate. So $B B^\top$, and with it $B^\top B$, has one eigenvalue $s = 1 + \gamma C_w$ and all others equal
# to one, at every width. At $N, B \to \infty$ this gives for the matrix of {eq}`eq-gradient-flow`, with $u = w^* - v^0$,
#
# $$
# \begin{aligned}
# G &= I + \frac{\gamma}{s}\, u u^\top, \qquad |u|^2 = C_w\, s, \\
# K &= s \Lambda + \frac{\gamma}{s}\, (y - \Delta)(y - \Delta)^\top ,
# \end{aligned}
# $$ (eq-rank-one)
#
# where $y = \Lambda^{1/2} w^*$, $\Delta = \Lambda^{1/2} v^0$ and $K$ is the kernel of paper eq. 52.
#
# ## The flow without the matrix
#
# Inserted in paper eqs. 51 and 52, the matrix drops out of the dynamics,
#
# $$
# \begin{aligned}
# \dot u &= s\, \Lambda v^0 + \frac{\gamma}{s}\, (u \cdot \Lambda v^0)\, u, \\
# \dot C_w &= 2\, u \cdot \Lambda v^0,
# \end{aligned}
# $$ (eq-rank-one-flow)
#
# and the rest can be integrated to any time in seconds ({py:mod}`neural_scaling.dmft.flow`). It agrees with the mean field
# theory on a log grid ({py:func}`neural_scaling.dmft.solve`), which does not use it, within the error stated there. In unit steps
# the relation holds up to a term proportional to $\eta$. A simulated network shows it: the second eigenvalue of $B^\top B - I$
# vanishes with the learning rate, the first is $\gamma |w|^2/N$ and its eigenvector points along $B^\top w$.

# %% tags=["hide-input", "nbval-check-output"]
spikes = full_model.spikes(plan)
heads = {"first": "first eigenvalue", "scale": "γ |w|²/N", "second": "second eigenvalue"}
Table(spikes, heads=heads, formats={"first": ".3f", "scale": ".3f", "second": ".4f", "misalignment": ".0e"})

# %% [markdown]
# This holds at any width and does not depend on the data; only the size of the scale needs the limit of infinite width. Larger
# networks follow it. Dots are the effective kernel of single modes, the diagonal of the kernel over its initial value,
# averaged over seeds; lines are {eq}`eq-rank-one`, $K_k/\lambda_k = s + \frac{\gamma}{s} u_k^2$.

# %% tags=["hide-input"]
hard_curves = [page.curve(plan, beta) for beta in hard]
easy_curves = [page.curve(plan, beta) for beta in easy]
hard_curve = hard_curves[hard.index(quoted_hard)]
easy_curve = easy_curves[easy.index(quoted_easy)]
networks = full_model.growth(plan, shown)

# %% mystnb={"figure": {"caption": "Effective kernel of four modes over its initial value, hard task. Lines: limit of infinite width. Dots: mean over simulated networks. Dashed: the scale alone.", "name": "kernel-network"}, "image": {"alt": "Four rising curves of effective kernel against eta t from about 1.2 to 6. The first mode rises above the others early, later modes follow one after the other, and all approach a common curve slightly above the dashed scale. Dots lie on the curves."}} tags=["remove-input"]
display(full_model.growth_figure(plan, networks, shown, hard_curve.flow))

# %% [markdown]
# ## Spike against scale
#
# For a hard task the scale takes over after a few units of $\eta t$. The spike reaches a maximum and then falls, since
# $\gamma (y - \Delta)(y - \Delta)^\top$ is divided by $s$. The paper's first-order formula, in which the spike settles, holds while
# $s \simeq 1$. For an easy task $s$ settles, where $s (s - 1) = \gamma |w^*|^2$, and the spike with it.

# %% mystnb={"figure": {"caption": "Eigenvalue of the spike, scale times the largest eigenvalue of the initial kernel, and largest eigenvalue of their sum (dashed). Dotted: the size γ|y|² of the spike at first order in γ.", "name": "kernel-parts"}, "image": {"alt": "Two log-log plots against eta t. For the hard task the scale grows as a power, the spike peaks near 1 and falls as a power. For the easy task both level off. The largest eigenvalue lies on the scale for the hard task and above it for the easy one."}} tags=["remove-input"]
display(page.parts_figure(plan, hard_curve, easy_curve))

# %% [markdown]
# ## The late solution of a hard task
#
# With the clock $\tau = \int s\, dt$, {eq}`eq-rank-one-flow` integrates to
#
# $$
# \begin{aligned}
# \frac{u_k}{w^*_k} &= \lambda_k \int_0^\tau \sqrt{\frac{s(\tau)}{s(\tau')}}\; e^{-\lambda_k (\tau - \tau')}\, d\tau' , \\
# s (s - 1) &= \gamma \sum_k u_k^2 ,
# \end{aligned}
# $$ (eq-late)
#
# since $\frac{\gamma}{s}\, u \cdot \Lambda v^0$ is half the rate at which $\ln s$ grows. For $\beta < 1$ a power $s = c\, \tau^\nu$ makes
# $u_k/w^*_k = p(\lambda_k \tau)$ a function of one variable. The sum scales as $\tau^{1 - \beta}$, and the two sides of the second equation
# agree if $\nu = (1 - \beta)/2$ and $c^2 = \frac{\gamma}{\alpha} \int_0^\infty x^{\beta - 2} p(x)^2\, dx$. From $d\tau = s\, dt$ follow
#
# $$
# \begin{aligned}
# \tau &\sim t^{2/(1+\beta)} = t^{2 - \chi}, \qquad s \sim t^{1 - \chi}, \\
# L &= \frac{\tau^{-\beta}}{\alpha} \int_0^\infty x^{\beta - 1} (1 - p)^2\, dx \sim t^{-\chi}, \\
# k_* &\sim \tau^{1/\alpha},
# \end{aligned}
# $$
#
# that is, paper eqs. 10, 11 and 68 with all constants ({py:func}`neural_scaling.theory.self_similar_solution`). That the dynamics tends to
# this solution is seen, not proved.

# %% mystnb={"figure": {"caption": "Scale of the kernel (top) and mode that is half learned (bottom). Dashed: the late solution with its prefactor, nothing fitted; for the easy tasks the limit of the scale and the mode learned at that constant scale.", "name": "kernel-growth"}, "image": {"alt": "Two log-log plots against eta t up to 1e9. The scale of hard tasks grows as powers, steeper for smaller source, and that of easy tasks levels off near 2. The number of modes learned grows as a power for all. Dashed lines coincide with the curves from about 100 on."}} tags=["remove-input"]
display(page.growth_figure(plan, hard_curves, easy_curves))

# %% [markdown]
# Windows come from theory: ten modes learned, and the first correction, the part of the kernel with another power of time,
# down to a tenth: $\gamma (\eta t)^{1-\chi} \ge 10$ for hard tasks, $\gamma (\eta t)^{1-\beta} \le 1/10$ for easy ones. The spike of a hard task is
# fitted once it has formed, $(\eta t)^{-\chi} \le 0.01$.

# %% tags=["hide-input", "nbval-check-output"]
growth = page.growth(plan, [*hard_curves, *easy_curves])
formats = {"predicted": ".3f", "exponent": ".3f", "interval": ".3f", "window": ".2g"}
Table(growth, heads={"window": "window of ηt"}, formats=formats)

# %% [markdown]
# ## Which part of the kernel lowers the loss
#
# $-\frac12 \frac{dL}{dt} = \Delta^\top K \Delta$ has three terms (paper eq. 53; its left side lacks the factor). By {eq}`eq-rank-one` they are
#
# $$
# \Delta^\top \Lambda \Delta, \quad \frac{\gamma}{s} \big[ (y - \Delta) \cdot \Delta \big]^2 , \quad \gamma C_w\, \Delta^\top \Lambda \Delta .
# $$
#
# In the late solution the second over the third tends to
# $\frac{\nu^2}{4} \int x^{\beta-2} p^2 dx \,\big/ \int x^\beta (1-p)^2 dx$, a number that depends on $\beta$ alone. It is smaller than one, but
# it is no power of time: for hard tasks the term is not subleading. For easy ones it is, by $t^{1-\beta}$. Replacing $y - \Delta(s)$ by
# $y$, as in the last line of paper eq. 53, makes the ratio larger (dotted).

# %% mystnb={"figure": {"caption": "(a) The three terms of paper eq. 53 in units of L/(2ηt): their sum is the local exponent. (b) Second over third term for all tasks; dashed the late solution, dotted with the approximation of the last line of paper eq. 53.", "name": "kernel-terms"}, "image": {"alt": "Upper panel: the share of the initial kernel falls as a power, those of scale and spike become constant, about 0.48 and 0.09. Lower panel: the ratio of spike to scale becomes constant for hard tasks, between 0.1 and 0.3, and falls as a power for easy tasks."}} tags=["remove-input"]
display(page.terms_figure(plan, hard_curves, easy_curves))

# %% tags=["hide-input", "nbval-check-output"]
shares = page.spike_shares(plan, [*hard_curves, *easy_curves])
heads = {"ratio": "ratio at the last time", "predicted": "late solution", "printed": "as printed"}
Table(shares[["beta", "ratio", "predicted", "printed"]], heads=heads, formats=dict.fromkeys(heads, ".3f"))

# %% [markdown]
# ## Levels of approximation
#
# Level 0 freezes the kernel; level $n + 1$ lets the scale grow with the error of level $n$; level $\infty$ closes the loop
# ([Figure 10](fig-10-page)). All leave the spike out and replace the sum over modes by an integral, which lowers the loss at
# the start (paper eqs. 60-67). Their powers are $\chi_{n+1} = \max(\beta, \beta (2 - \chi_n))$, and the exact curve has that of the limit:
# odd levels drift away below it, even ones above. The closure keeps a constant distance, which its own power-law solution
# gives. Most of it comes from the rate at which paper eq. 63 lets the scale grow, $y \cdot \Delta$ in place of
# $2 (y - \Delta) \cdot \Delta$; the rest is the spike.

# %% tags=["hide-input"]
losses = level_curves.level_losses(plan, hard_curve.flow)

# %% mystnb={"figure": {"caption": "Loss at each level of approximation over the exact loss of the hard task. Shaded: window of the fits.", "name": "kernel-levels"}, "image": {"alt": "Ratios against eta t. Level 0 rises as a power above one, level 1 falls as a power, level 2 rises slowly, level 3 falls slowly, and level infinity stays constant near 0.75."}} tags=["remove-input"]
display(level_curves.level_figure(losses, hard_curve.window))

# %% tags=["hide-input", "nbval-check-output"]
levels = level_curves.level_exponents(plan, losses, hard_curve.window)
formats = {"predicted": ".3f", "exponent": ".3f", "interval": ".3f"}
display(Table(levels.drop(columns="window"), heads={"predicted": "χₙ"}, formats=formats))
closures = level_curves.closures(plan, losses)
display(Table(closures, "Level ∞ over exact loss", {"source": ""}, {"ratio": ".3f"}))

# %% [markdown]
# ## The norm of the weights
#
# The target has a finite norm in the Hilbert space of the kernel, $|w^*|^2 = \zeta(1 + \alpha(\beta - 1))$, if and only if $\beta > 1$
# (paper eq. 7). Lazy learning drives $|w|^2/N$ to $|w^*|^2$; rich learning needs less, since the features grow too:
# $C_w (1 + \gamma C_w) = |w^*|^2$ at the end.

# %% mystnb={"figure": {"caption": "Squared norm of the readout weights, rich (lines) and lazy (dotted), on both sides of source 1. Triangles: limits of the easy tasks.", "name": "kernel-norm"}, "image": {"alt": "Log-log plot against eta t. For sources below 1 the norm grows as a power, faster for lazy learning. For sources above 1 it levels off at the values marked by triangles, lower for rich learning."}} tags=["remove-input"]
display(page.norm_figure(plan, hard_curves, easy_curves))

# %% [markdown]
# ## Two forms of the model, and no projection
#
# Paper eq. 4, with the $M$ features and $A(t)$ in full, and descent on $w$ and $B$ with $A = B A(0)$ are trained on the same
# batches. They agree up to rounding, for any batch size and step. Paper eq. 17 as printed lacks the factor $\gamma$, which its text
# supplies.

# %% tags=["hide-input"]
forms = full_model.forms(plan)
heads = {"loss": "difference of the loss", "features": "difference of A"}
Table(forms, "Largest relative differences", heads, dict.fromkeys(heads, ".0e"))

# %% [markdown]
# With the projection a network of one parameter stays at the best loss that its one random feature allows. Without it $A$
# turns towards the target, and the loss falls to zero, mode by mode: the more modes, the longer it takes.

# %% tags=["hide-input"]
single = full_model.single(plan)

# %% mystnb={"figure": {"caption": "Loss of networks with N = 1, one line per seed, without the projection (lines) and with it (dashed).", "name": "kernel-single"}, "image": {"alt": "Log-log plot of loss against steps. With the projection the loss stays near 2. Without it the loss falls without a floor, below 1e-6 for 64 modes and more slowly for 256."}} tags=["remove-input"]
display(full_model.single_figure(single))

# %% [markdown]
# ## Claims
#
# An exponent counts as confirmed within 0.01, just below the distance of level 3 from the limit at $\beta = 0.4$; a prefactor or a share within 0.005; networks of finite width
# within 5 %. The levels are judged with [Figure 10](fig-10-page), the two forms and the network of one parameter with [Figure 9](fig-9-page).

# %% mystnb={"markdown_format": "myst"} tags=["hide-input", "nbval-check-output"]
weak_curve = page.curve(plan, quoted_easy, small_gamma)
ledger.show(
    [
        *page.growth_claims(plan, growth),
        *page.decay_claims(plan, shares, hard_curve),
        full_model.rank_one_claim(plan, spikes),
        page.spike_claim(plan, growth),
        *page.limit_claims(plan, weak_curve, easy_curve),
        *page.level_claims(plan, levels, losses),
        full_model.scale_claim(plan, networks, hard_curve.flow),
        page.norm_claim(plan),
    ]
)

# %% [markdown]
# ## What was chosen
#
# The paper measures none of this; it argues with powers. Capacity, richness, sources, times and networks are ours. All of it
# is gradient flow or close to it: at a fixed learning rate the growth of the kernel ends at the
# [edge of stability](fig-2-edge-section). The extra condition on the window of the spike was set after a trial fit in the window of the other
# powers, which begins before the spike has formed; of the tasks here only the hardest notices the difference.
