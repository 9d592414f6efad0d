# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# (mup-page)=
# # Width and richness: the parametrization put to the test
#
# **The paper says.** Networks are scaled so that width changes only the size of fluctuations, and one number, the richness
# $\gamma_0$, sets how far features move. This is the mean-field parametrization (section 5).
#
# **Here.** In a few steps features and outputs move by the same amount at every width from 64 to 2048. As $\gamma_0 \to 0$ the
# network becomes its linearisation. Two things stay open. Loss curves differ by about a tenth between widths 256 and 512 where
# they differ most, too little and too unsurely to tell. And the loss is nearly the same for learning rates from 0.4 to 1.6, where
# single networks scatter by more: the best rate is known to a factor of four only. At 3.2 some networks of every width diverge.
#
# <!-- here: mup.output, mup.eta, mup.curves -->
#
# ## The parametrization
#
# $$
# \begin{aligned}
# h^1 &= D^{-1/2} W^1 x, \\
# h^{l+1} &= N^{-1/2} W^{l+1} \phi(h^l), \\
# f &= \frac{1}{\gamma_0 N}\, w \cdot \phi(h^{L-1}) \\
# &\quad - (\text{the same at the start}), \\
# \eta &= \eta_0 N \gamma_0^2,
# \end{aligned}
# $$
#
# with weights from $N(0, 1)$. For stochastic gradient descent this is muP: Table 3 of "Tensor Programs V"
# {cite:p}`yang2022tensor` with the multipliers moved into the weights. In the package `microsoft/mup` it is a `MuReadout` with
# `output_mult` $= 1/(\gamma_0 \sqrt{N_0})$, $N_0$ the base width, trained by `MuSGD` at rate $\eta_0 \gamma_0^2$.
# {class}`~neural_scaling.networks.parametrization.Parametrization` holds the whole map, and a test trains both ways to the same numbers.

# %% tags=["hide-input", "parameters"]
scale: "Scale" = "small"  # small, or full
depth: "Count" = 4  # layers of weights L
beta: "Source" = 1.0  # source of the target on the circle
batch: "Count" = 32  # fresh samples of a step
eta: "Positive" = 0.1  # eta_0 of (a), (b) and (d)
richness: "Positive" = 0.5  # gamma_0 of (a) to (c)
angles: "Count" = 4096  # equidistant angles that samples are drawn from
seeds: "Seeds" = 4  # networks per point
seeds_curves: "Seeds" = 4  # networks per curve of (b)
widths: "RisingCounts" = [64, 128, 256]  # N of (a)
steps_check: "Count" = 10  # steps after which (a) looks
widths_curves: "RisingCounts" = [64, 128]  # N of (b) and (c); (d) has the first
steps: "Count" = 60  # last step of (b) to (d)
etas: "Rising" = [0.2, 0.4, 0.8, 1.6]  # eta_0 of (c), ascending
richness_limit: "Falling" = [0.003, 0.001, 0.0003]  # gamma_0 of (d), descending

# %% tags=["hide-input"]
from IPython.display import display

from companion import claims as ledger
from companion import notebook
from companion.pages import mup as page
from companion.tables import Table
from neural_scaling import runs

plan = notebook.plan(page.Plan, globals())
results = plan.results()
moved = page.changes(plan, results)
curves = page.width_curves(plan, results)
search = page.eta_search(plan, results)
limit = page.lazy_limit(plan, results)

# %% tags=["hide-input", "provenance"]
print(notebook.provenance(plan, seeds=range(max(seeds, seeds_curves))))
print(runs.describe(list(results.values())))

# %% mystnb={"figure": {"caption": "(a) Change of the arguments of each hidden layer and of the output in a few steps, against width; dashed: slopes minus and plus one half, which wrong scalings would give. (b) Loss curves at several widths. (c) Loss at the last step against learning rate. (d) Largest relative difference of the loss from that of the linearised network; dashed: first order.", "name": "fig-mup"}, "image": {"alt": "Four panels. Changes of features and output are flat in width; loss curves of several widths lie close together; the loss depends little on the learning rate near its best value, and no point is drawn beyond, where networks diverge; the difference from the linearised network falls in proportion to the richness."}} tags=["remove-input"]
display(page.draw(plan, moved, curves, search, limit))

# %% tags=["hide-input"]
growth, best = page.growth(plan, moved), page.best(search)
display(Table(growth, "Growth of the change when N doubles", formats={"factor": ".3f", "interval": ".3f"}))
rates = search.pivot(index="eta", columns="width", values="loss").rename(columns="N = {}".format).reset_index()
display(Table(rates, "Test loss at the last step, by learning rate and width", heads={"eta": "η₀"}))

# %% [markdown]
# ## Claims
#
# A change counts as independent of width if it grows by less than 5 % when the width doubles; a scaling that is wrong by the root
# of the width gives 41 %. Loss curves are compared where they differ most, seed by seed, since networks of one seed see the same
# samples at every width. A best learning rate is known to one step of the search, and not at all at an end of it.

# %% mystnb={"markdown_format": "myst"} tags=["hide-input", "nbval-check-output"]
ledger.show(
    [
        *page.flat_claims(plan, growth),
        page.curves_claim(plan, curves),
        page.eta_claim(plan, best),
        page.lazy_claim(plan, limit),
    ]
)
