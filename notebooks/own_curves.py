# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
#   neural_scaling:
#     reads:
#     - data/benchmarks/published_points.json
# ---

# %% [markdown]
# (own-curves-page)=
# # Use it on your curves
#
# **The paper says.** The loss is a sum of four powers of width, time and batch, with exponents that capacity and source determine
# (paper eq. 8).
#
# **Here.** That sum, with its exponents corrected, is fitted to training runs, beside the sum of two powers that is common in
# practice. They are compared by their errors on unseen runs.
#
# ## What to give
#
# Loss curves of several model sizes are all that is needed to fit a scaling law, compare it with another, and divide compute:
#
# ```python
# from neural_scaling.fits import compare_scaling_laws, fit_scaling_law
#
# fit = fit_scaling_law(N, D, L, run, law="chinchilla")
# fit.interval("a"), fit.interval("b"), fit.allocation([1e21], per=6)
# print(compare_scaling_laws(N, D, L, run, laws=("chinchilla", "rich")).statement)
# ```
#
# `D` is data, steps or $\eta t$, and `run` numbers the training runs: points of one run share its noise, so that runs, not points,
# are resampled for the intervals. `neural-scaling predict curves.csv` does the same for a file with columns `N`, `D`, `L` and `run`.
#
# ## The points of this page
#
# The points below come from simulated random-feature models of known capacity and source, the same at every width, so that one
# sees what a fit gets right. [Published points](own-curves-published) follow at the end.

# %% tags=["hide-input", "parameters"]
scale: "Scale" = "small"  # the only one
alpha: "Capacity" = 1.5  # capacity of the task
beta: "Source" = 0.5  # its source
modes: "Count" = 2000  # M
eta: "Positive" = 0.25  # learning rate
steps: "Count" = 2000  # last step
first: "Count" = 8  # first step of a fit
points: "Count" = 24  # points of a curve, even in log t
widths: "RisingCounts" = [8, 16, 32, 64, 128]  # N
seeds: "Seeds" = 4  # runs of each width
resamples: "Count" = 100  # fits to runs drawn again
budgets: "Rising" = [1e3, 1e4, 1e5]  # compute N eta t

# %% tags=["hide-input"]
from IPython.display import display

from companion import notebook
from companion.pages import own_curves as page
from companion.tables import Table

plan = notebook.plan(page.Plan, globals())
found = page.curves(plan, plan.results())

# %% tags=["hide-input", "provenance"]
print(notebook.provenance(plan, seeds=range(plan.seeds)))

# %% mystnb={"figure": {"caption": "Simulated losses of random-feature models (dots), the Chinchilla form (dotted) and the four terms of the theory (solid), both fitted to all widths at once. Late, the term of the transient, which grows on this task, turns the solid curves of narrow models up; the runs stay flat.", "name": "fig-own-curves"}, "image": {"alt": "Log-log plot of loss against time for five widths: narrow models level off early; both fitted forms follow the dots, the four terms closer at early times."}} tags=["remove-input"]
display(page.draw(found))

# %% [markdown]
# ## Exponents
#
# The Chinchilla form $E + A N^{-a} + B D^{-b}$ has exponents of its own. Far from the corner where $N$ and $t$ limit the loss alike they
# should be $a = \alpha \min(1, \beta)$ and $b = \beta$; in between a sum of two powers is not the loss of any model. The four terms
# of the theory share $\alpha$ and $\beta$, and add the transient at finite width. Intervals say how the fit differs from run to run, not
# that the form is true. Where runs of neighbouring sizes miss it alike, it is not: `fit.lack_of_fit` is then small, and the fit warns.

# %% tags=["hide-input"]
Table(
    page.exponents(plan, found),
    f"Exponents, intervals from {plan.resamples} draws of the runs",
    heads={
        "name": "exponent of the law",
        "value": "found",
        "agreeing": "starts that reached the best fit",
        "starts": "of",
    },
)

# %% [markdown]
# ## Which law is better?
#
# Runs are left out in turn. Then each law is fitted to the smaller two thirds, in $\log N$ or in $\log t$, and has to predict the rest.

# %% tags=["hide-input"]
Table(
    page.errors(found),
    "Mean error in log loss on what a law has not seen",
    heads={**page.CALLED, "difference": "difference"},
)

# %% [markdown]
# ## Dividing compute

# %% tags=["hide-input"]
Table(
    page.allocation(plan, found),
    "Best width at a budget",
    heads={"compute": "C = N η t", "best_width": "best N", "time": "η t", "outside": "outside the points"},
)

# %% [markdown]
# (own-curves-published)=
# ## Published points
#
# {cite:t}`hoffmann2022training` fitted the Chinchilla form to losses of language models. {cite:t}`besiroglu2024chinchilla` read
# 245 of their points from a figure, left five out, and found other values, which come out here too. The points have no licence, so
# the book shows what was found; `python tests/published_points.py` fetches them from
# [their repository](https://github.com/epoch-research/analyzing-chinchilla) and computes it again.

# %% tags=["hide-input"]
Table(
    page.published_values(),
    "E + A N^-a + B D^-b of language models",
    heads={"name": "value of", "printed": "Hoffmann et al.", "again": "Besiroglu et al.", "value": "here"},
)

# %% [markdown]
# The four terms share two exponents, and have one prefactor more than the Chinchilla form. Each point is a run, its $D$ stands for
# time:

# %% tags=["hide-input"]
Table(
    page.published_errors(),
    "Mean error in log loss on published points that a law has not seen",
    heads={"law": "four terms", "error": "their error", "chinchilla": "Chinchilla form", "difference": "difference"},
)

# %% [markdown]
# All laws describe the points alike, and the lazy four terms extrapolate best. But the points do not determine their capacity, and
# each run had a schedule of its learning rate, which no law here knows: this says nothing about how language models learn.
