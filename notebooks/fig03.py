# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# (fig-3-page)=
# # Figure 3: transients of SGD
#
# **The paper says.** Fresh batches of size $B$ add a term $(\eta/B)\, t^{-(2 - 1/\alpha)}$ to the loss (paper eq. 8). It does not
# significantly change the scaling of a hard task. A super-easy task, $\beta > 2 - 1/\alpha$, falls first as $t^{-\beta}$, then as
# $t^{-2 + 1/\alpha}$, and last as $t^{-1 + 1/\alpha}$, the transient of finite width.
#
# **Here.** The three stages of the super-easy task appear in the paper's order at small batch, each with its exponent. In
# the hard task the noise does not fade: relative to the loss it *grows*, like the kernel, as $t^{1-\chi}$
# ([below](fig-3-late-section)). Theory and simulation agree at large batch.
#
# <!-- here: fig03.super-easy.sgd, fig03.hard.noise, fig03.super-easy.theory.smallest -->

# %% tags=["hide-input", "parameters"]
scale: "Scale" = "small"  # small, or full for the sizes of the paper
alpha: "Capacity" = 2.0  # capacity (ours: the paper does not state it)
beta_hard: "HardSource" = 0.5  # source of panel (a)
beta_super_easy: "EasySource" = 3.6  # source of panel (b)
gamma: "Richness" = 0.75  # richness (ours, that of Figure 4)
eta_hard: "Positive" = 0.1  # learning rate of (a) (ours)
eta_super_easy: "Positive" = 0.2  # learning rate of (b) (ours)
modes: "Count" = 1024  # M of the simulations and of the theory beside them (ours)
width: "Count" = 64  # N (ours)
steps: "Count" = 128  # last step
batches: "RisingCounts" = [1, 8, 64]  # B of each curve, ascending
seeds: "SeedsEach" = [24, 8, 6]  # simulations per batch: small batches are noisier
time_long: "Positive" = 1.0e3  # last eta*t of the theory at late times (ours)

# %% tags=["hide-input"]
import pandas as pd
from IPython.display import display

from companion import claims as ledger
from companion import notebook
from companion.pages import fig03 as page
from companion.tables import Table
from neural_scaling import runs

plan = notebook.plan(page.Plan, globals())
results = plan.results()
hard = page.panel(plan, beta_hard, results)
super_easy = page.panel(plan, beta_super_easy, results)

# %% tags=["hide-input", "provenance"]
print(notebook.provenance(plan, seeds=range(max(seeds))))
print(runs.describe(list(results.values())))

# %% [markdown]
# ## Is the learning rate small enough?
#
# SGD with small batches has a stability bound of its own: on average, the noise of one step must not cause more noise in later
# steps than it carries itself. For Gaussian features and a kernel at rest the condition is
# $\sum_k (\eta \lambda_k / B) / (2 - \eta \lambda_k (1 + 1/B)) < 1$. The kernel grows as $K = 1 + \gamma C_w$, so the last
# column uses $\eta K$ at the last step. Beyond 1 the mean of the loss has no bound, and a mean over any number of seeds is
# meaningless.

# %% tags=["hide-input", "nbval-check-output"]
heads = {"growth": "K at the last step", "first": "at first", "last": "at last"}
formats = {"growth": ".2f", "first": ".3f", "last": ".3f"}
display(Table(page.stability(plan, hard), f"Hard task, η = {eta_hard:g}", heads, formats))
display(Table(page.stability(plan, super_easy), f"Super-easy task, η = {eta_super_easy:g}", heads, formats))

# %% [markdown]
# ## Loss curves
#
# Every simulation has its own random projection and data stream. The theory is solved in unit steps for the same width,
# batch and number of modes, as the paper states it. The band is one standard deviation over seeds.

# %% mystnb={"figure": {"caption": "**Paper Fig. 3.** Loss against steps for several batch sizes, (a) hard and (b) super-easy task. Lines and bands: mean and standard deviation of simulations. Dashed: mean-field theory and, in grey, the powers of the paper. Dotted: infinite width and batch.", "name": "fig-3"}, "image": {"alt": "Two log-log plots of loss against steps, one curve per batch size. Hard task: all curves run nearly parallel, batch 1 slightly above. Super-easy task: after a steep fall, small batches turn to slope minus 1.5 and large batches to slope minus 0.5; the dashed theory lies below the simulation at batch 1."}} tags=["remove-input"]
display(page.loss_figure(plan, hard, super_easy))

# %% [markdown]
# The first tables give the mean of the simulations divided by the theory, averaged over the logarithm of the step. The theory
# is exact only to leading order in $1/N$ and $1/B$. At the smallest batch the simulated mean lies above it, and further above
# the more steeply the loss falls, because the theory leaves out the [fourth moment of Gaussian data](batch-derivation). The
# last table shows what that moment adds.

# %% tags=["hide-input"]
hard_agreement, super_easy_agreement = (panel.agreement(page.RESAMPLES) for panel in (hard, super_easy))
heads, formats = {"size": "B", "ratio": "simulation / theory"}, {"ratio": ".3f", "interval": ".3f"}
display(Table(hard_agreement, f"Hard task, β = {beta_hard:g}", heads, formats))
display(Table(super_easy_agreement, f"Super-easy task, β = {beta_super_easy:g}", heads, formats))
moments = {"task": ["hard", "super-easy"], "ratio": [page.fourth_moment(panel) for panel in (hard, super_easy)]}
heads = {"ratio": "theory with the fourth moment / theory"}
display(Table(pd.DataFrame(moments), f"At B = {batches[0]}", heads, {"ratio": ".3f"}))

# %% [markdown]
# ## How the batch changes the curves
#
# The tables compare each batch with the largest: the excess of its loss at the last step, and the difference of its exponent
# over the last decade of steps (positive: the loss falls more slowly).

# %% tags=["hide-input"]
hard_excess, super_easy_excess = page.excess(plan, hard), page.excess(plan, super_easy)
heads = {
    "excess": "excess at last step",
    "slope": "difference of exponents",
    "slope_interval": "95 % of the difference",
}
formats = dict.fromkeys(["excess", "interval", "theory", "slope", "slope_interval"], ".3f")
display(Table(hard_excess.drop(columns="exponent"), f"Hard task, against B = {batches[-1]}", heads, formats))
display(
    Table(super_easy_excess.drop(columns="exponent"), f"Super-easy task, against B = {batches[-1]}", heads, formats)
)

# %% [markdown]
# (fig-3-late-section)=
# ## One term at a time
#
# Within a few hundred steps all terms overlap. The theory continues to late times, on a logarithmic grid of $\eta t$ and for
# infinitely many modes. Three of its limits isolate one term each: infinite width and batch (gradient flow), infinite width
# (the SGD transient) and infinite batch (the transient of finite width, at 16 times the width of the figure and after its exact
# late limit is subtracted). Windows come from the loss law with prefactors one: a term counts as alone where it is ten times
# larger than the next. The loss of the hard task at infinite batch is fitted where $\gamma (\eta t)^{1-\chi} \ge 10$.

# %% mystnb={"figure": {"caption": "The theory to late times. Upper panel: loss of the super-easy task for several batches, and in the limits that leave one term alone. Lower panel: by how much the smallest and the largest batch raise the loss of the hard task at infinite width, beside the level that the present kernel keeps up (dashed).", "name": "fig-3-late"}, "image": {"alt": "Upper panel: loss curves on log-log axes turn from a steep fall to slope minus 1.5 and then to minus 0.5, later for smaller batch. Lower panel: the relative excess of the hard task grows with time, parallel to the dashed growth of the kernel."}} tags=["remove-input"]
display(page.late_figure(plan, hard, super_easy))

# %% tags=["hide-input", "nbval-check-output"]
hard_terms, super_easy_terms, crossovers = hard.late.terms(), super_easy.late.terms(), super_easy.late.crossovers()
heads = {"window": "window in ηt"}
formats = {"predicted": ".2f", "exponent": ".2f", "interval": ".2f", "window": ".0f"}
display(Table(super_easy_terms.drop(columns=["name", "location"]), "Super-easy task", heads, formats))
display(Table(hard_terms.drop(columns=["name", "location"]), "Hard task", heads, formats))
heads = {"noise": "SGD noise overtakes gradient flow at ηt", "width": "finite width overtakes SGD noise at ηt"}
display(Table(crossovers, "Super-easy task, stages", heads, {"noise": ".1f", "width": ".1f"}))

# %% [markdown]
# ## Why the noise of a hard task grows
#
# In the super-easy task at a large batch the transient of finite width comes first and SGD noise never leads: the middle stage
# needs a large $\eta N / B$.
#
# The last row of the second table is the relative excess of the loss that SGD noise causes in the hard task. In the paper's law
# it falls; here it grows. For a source below $2 - 1/\alpha$ the leading effect of the noise is local: a mode that still carries
# loss is shaken by the present loss, not by what is left of early noise. This multiplies the loss by
# $1 + (\eta/B) K(t) \sum_k \lambda_k / 2$, so the excess grows with the kernel, as $t^{1-\chi}$. The noise does not matter for
# hard tasks while that product is small; the stability bound above says when it is not.
#
# ## Claims
#
# An exponent of the theory counts as confirmed within 5 % of the prediction, one of simulations within 10 %, a ratio of losses within 5 % of 1.

# %% mystnb={"markdown_format": "myst"} tags=["hide-input", "nbval-check-output"]
ledger.show(
    [
        *page.shift_claims(plan, hard, hard_excess),
        *page.term_claims(plan, hard, hard_terms),
        *page.agreement_claims(plan, hard, hard_agreement),
        *page.term_claims(plan, super_easy, super_easy_terms),
        page.order_claim(plan, super_easy, crossovers),
        page.batch_claim(plan, super_easy),
        *page.agreement_claims(plan, super_easy, super_easy_agreement),
    ]
)

# %% [markdown]
# ## What was chosen
#
# The paper states the two sources and the batches. Ours are the capacity, the richness (that of Figure 4), the learning
# rates, the number of modes, the width, the number of steps ("a few hundred" in the figure) and of simulations, and all late
# times. The hard task has half the learning rate of the super-easy one because its kernel keeps growing.
