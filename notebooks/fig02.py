# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# (fig-2-page)=
# # Figure 2: learning curves of easy and hard tasks
#
# **The paper says.** At infinite width and batch an easy task ($\beta > 1$) keeps the lazy exponent $\beta$ at any richness
# $\gamma$, and only its constant improves. A hard task ($\beta < 1$) gains the exponent $2\beta/(1+\beta)$ for any $\gamma > 0$
# (paper eq. 10). At finite width the mean field theory follows the mean of simulations of [the model](model).
#
# **Here.** Both exponents hold in gradient flow at late times, whatever the richness. Over the steps of the figure the exponent
# of the hard task at small richness is still between the two. At a fixed learning rate the gain ends
# [at the edge of stability](fig-2-edge-section).
#
# <!-- here: fig02.hard.gamma-2, fig02.easy.gamma-2, fig02.hard.beyond-the-edge -->

# %% tags=["hide-input", "parameters"]
scale: "Scale" = "small"  # small, or full for the sizes of the paper
alpha: "Capacity" = 1.5  # capacity (ours: the paper does not state it)
beta_easy: "EasySource" = 1.2  # source of panels (a) and (c)
beta_hard: "HardSource" = 0.4  # source of panels (b) and (d)
gammas: "FromLazy" = [0.0, 0.125, 2.0]  # richness of each curve in (a) and (b), ascending from 0
eta_infinite: "Positive" = 0.02  # learning rate of (a) and (b) (ours)
steps_infinite: "Count" = 10000  # last step of (a) and (b)
modes: "Count" = 2048  # M of (c) and (d) (ours); (a) and (b) have infinitely many modes
widths: "RisingCounts" = [16, 64, 256]  # N of (c) and (d)
eta_finite: "Positive" = 0.1  # learning rate of (c) and (d) (ours)
gamma_finite: "Richness" = 1.0  # richness of (c) and (d) (ours)
batch: "Size" = 128.0  # B of (c) and (d) (ours); .inf for the population gradient
steps_finite: "Count" = 128  # last step of (c) and (d)
seeds: "Seeds" = 4  # simulations per width
etas_edge: "Rising" = [0.02, 0.1, 0.2, 0.5]  # learning rates of the edge-of-stability study (ours)
gammas_edge: "Rising" = [0.5, 1.0, 2.0]  # richnesses of that study (ours)
steps_edge: "Count" = 2000  # last step of that study (ours)

# %% tags=["hide-input"]
from IPython.display import display

from companion import claims as ledger
from companion import notebook
from companion.pages import fig02 as page
from companion.tables import Table
from neural_scaling import runs

plan = notebook.plan(page.Plan, globals())
results = plan.results()

# %% tags=["hide-input", "provenance"]
print(notebook.provenance(plan, seeds=range(seeds)))
print(runs.describe(list(results.values())))

# %% [markdown]
# ## Infinite width and batch
#
# In this limit nothing is random. The equations are solved exactly in unit steps for infinitely many modes (lines), and
# again as gradient flow, the limit of small learning rate at the same $\eta t$ (dots). The learning rate is small enough that
# no curve comes near the edge of stability.

# %% tags=["hide-input"]
easy = page.infinite_panel(plan, beta_easy, results)
hard = page.infinite_panel(plan, beta_hard, results)

# %% mystnb={"figure": {"caption": "**Paper Fig. 2(a, b).** Loss against steps at infinite width and batch, (a) easy and (b) hard task, for richness 0 to 2. Lines: unit steps. Markers: gradient flow. Dashed: the predicted powers.", "name": "fig-2ab"}, "image": {"alt": "Two log-log plots of loss against steps. For the easy task all curves run parallel with slope minus 1.2, lower for larger richness. For the hard task the lazy curve has slope minus 0.4 and the rich curves bend towards minus 0.571."}} tags=["remove-input"]
display(page.infinite_figure(easy, hard))

# %% [markdown]
# ## Exponents over the steps of the figure
#
# Theory fixes each window before looking. It starts when ten modes are learned,
# $k_*(t) = (\eta t + \gamma (\eta t)^{2-\chi})^{1/\alpha} \ge 10$, and ends at the last step or at the predicted edge of
# stability. The uncertainty counts the bend of the curve inside the window. "Moved windows" shows how far the exponent moves
# when either end moves by a factor of two. The last two columns compare the curve with theory in the same window. They give the
# exponent of {eq}`eq-self-consistent`, the approximation of paper eq. 67, and the ratio to gradient flow where it is furthest
# from 1.

# %% tags=["hide-input", "nbval-check-output"]
heads = {"moved": "moved windows", "closure": "paper eq. 67", "flow": "over gradient flow"}
formats = {name: ".3f" for name in ("predicted", "exponent", "interval", "moved", "closure", "flow")} | {
    "window": ".0f"
}
easy_exponents, hard_exponents = page.exponents(easy), page.exponents(hard)
display(Table(easy_exponents.drop(columns="beside"), f"Easy task, β = {beta_easy:g}", heads, formats))
display(Table(hard_exponents.drop(columns="beside"), f"Hard task, β = {beta_hard:g}", heads, formats))

# %% [markdown]
# ## Exponents at late times
#
# The powers of the paper are limits. Gradient flow up to $\eta t = 10^9$ shows them, in the window in which the kernel has its
# late form: $\gamma (\eta t)^{1-\chi} \ge 10$ for the hard task, $\gamma (\eta t)^{1-\beta} \le 1/10$ for the easy one.

# %% tags=["hide-input", "nbval-check-output"]
easy_late, hard_late = page.late_exponents(easy), page.late_exponents(hard)
heads = {"window": "window in ηt"}
formats = {"predicted": ".3f", "exponent": ".3f", "interval": ".3f", "window": ".1e"}
display(Table(easy_late, f"Easy task, β = {beta_easy:g}", heads, formats))
display(Table(hard_late, f"Hard task, β = {beta_hard:g}", heads, formats))

# %% [markdown]
# ## Finite width
#
# Each simulation of the model, {eq}`eq-model-step`, has its own random projection and data stream. The mean field theory is
# solved exactly in unit steps for the same width, batch and number of modes. The band is one standard deviation over seeds;
# the paper does not say what its band is.

# %% tags=["hide-input"]
easy_finite = page.finite_panel(plan, beta_easy, results)
hard_finite = page.finite_panel(plan, beta_hard, results)

# %% mystnb={"figure": {"caption": "**Paper Fig. 2(c, d).** Loss against steps at finite width, (c) easy and (d) hard task. Lines and bands: mean and standard deviation of simulations. Dashed: mean field theory and, in grey, the power of infinite width.", "name": "fig-2cd"}, "image": {"alt": "Two log-log plots of loss against steps, one curve per width. Small widths level off on a plateau; the largest follow the power law. Dashed theory curves lie on the simulated means."}} tags=["remove-input"]
display(page.finite_figure(easy_finite, hard_finite))

# %% [markdown]
# For each seed we average the ratio of its loss to the theory over the logarithm of the step; the mean and error over seeds
# test the theory. The theory is the leading order in $1/N$ and $1/B$, so a small departure at small width is expected.

# %% tags=["hide-input"]
easy_agreement, hard_agreement = easy_finite.agreement(), hard_finite.agreement()
heads, formats = {"size": "N", "ratio": "simulation / theory"}, {"ratio": ".3f", "interval": ".3f"}
display(Table(easy_agreement.drop(columns="seeds"), f"Easy task, β = {beta_easy:g}", heads, formats))
display(Table(hard_agreement.drop(columns="seeds"), f"Hard task, β = {beta_hard:g}", heads, formats))

# %% [markdown]
# (fig-2-edge-section)=
# ## The edge of stability
#
# The rich gain comes from a kernel that grows, $K(t) \simeq 1 + \gamma (\eta t)^{1-\chi}$. Gradient descent follows gradient flow
# only while $\eta$ times the largest eigenvalue of the kernel stays below 2. For a hard task the growth has no end, so at any
# fixed $\eta$ the dynamics reaches that edge, around $\eta t \simeq \gamma^{-1/(1-\chi)} (2/\eta)^{1/(1-\chi)}$.
#
# There the kernel stops growing: its largest eigenvalue hovers near $2/\eta$, as in deep networks {cite:p}`cohen2021edge`. With
# a kernel that does not grow, the loss falls no faster than about the lazy power $t^{-\beta}$. The better exponent is a property
# of gradient flow; at a fixed learning rate it is a transient that ends at the edge.

# %% tags=["hide-input"]
edge = page.edge_of_stability(plan, results)

# %% mystnb={"figure": {"caption": "The hard task at several learning rates and richness 1, against learning rate times steps: loss (spikes cut), and learning rate times the largest eigenvalue of the kernel. Crosses: where that product reaches 2. Dashed: the rich and the lazy power.", "name": "fig-2-edge"}, "image": {"alt": "Upper panel: loss curves of all learning rates coincide until each reaches the edge of stability, earlier for larger learning rate; from there the loss spikes and then falls more slowly. Lower panel: learning rate times largest eigenvalue grows and settles near 2."}} tags=["remove-input"]
display(page.edge_figure(plan, results, edge, gamma=1.0))

# %% tags=["hide-input", "nbval-check-output"]
heads = {"edge": "edge at step", "predicted": "predicted step", "before": "exponent before"}
Table(edge.drop(columns="after"), heads=heads, formats={"edge": ".0f", "predicted": ".2g", "before": ".2f"})

# %% [markdown]
# Beyond the edge the dynamics oscillates and amplifies rounding: the last digit of an exponent measured there may differ from
# machine to machine.

# %% tags=["hide-input"]
Table(edge[["eta", "gamma", "after"]].dropna(), heads={"after": "exponent beyond the edge"}, formats={"after": ".2f"})

# %% [markdown]
# ## Claims
#
# An exponent counts as confirmed within 5 % of the prediction, a ratio of losses within 5 % of 1, the step of the edge within a factor of five.

# %% mystnb={"markdown_format": "myst"} tags=["hide-input", "nbval-check-output"]
ledger.show(
    [
        *page.exponent_claims(plan, easy, easy_exponents, easy_late),
        page.order_claim(plan, easy),
        *page.exponent_claims(plan, hard, hard_exponents, hard_late),
        page.order_claim(plan, hard),
        *page.agreement_claims(plan, easy_finite, easy_agreement),
        *page.agreement_claims(plan, hard_finite, hard_agreement),
        *page.edge_claims(plan, edge),
    ]
)

# %% [markdown]
# ## What was chosen
#
# The paper states the sources, the richnesses and 10 000 steps of (a, b), the widths and 32 runs of (c, d). Ours are the
# capacity, the learning rates, the late times of gradient flow, the number of modes, the richness and batch of (c, d), their
# number of steps ("a few hundred" in the figure) and the whole edge-of-stability study. At small scale (c, d) have fewer and
# narrower networks, fewer modes and steps; (a, b) are the same at both scales.
