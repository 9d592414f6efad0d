# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
#   neural_scaling:
#     reads:
#     - data/results/fig05
# ---

# %% [markdown]
# (smallsteps-page)=
# # Networks in small steps: how near to the rich exponent?
#
# **The paper says.** The loss of rich networks on hard tasks falls as $t^{-\chi(\beta)}$, $\chi = 2\beta/(1+\beta)$ (paper
# eq. 10, Figure 5a).
#
# **Here.** In [Figure 5](fig-5-page) most windows end when the kernel has grown half-way to the edge of stability. Here the same
# networks learn at a quarter of the learning rate for ten times as many steps. At $\beta = 0.1$, 0.25, 0.5 and 0.75 they cover 91,
# 93, 82 and 49 % of the way from the lazy exponent to $\chi$, against 67, 72, 73 and 43 % in the larger steps. In the second half
# of the windows the exponents are 0.20, 0.42, 0.66 and 0.81, beside $\chi = 0.18$, 0.40, 0.67 and 0.86. The first two go past
# $\chi$ and the third levels off at it, but they still change too much to say that they equal it; the last shows half of the gain.
#
# <!-- here: smallsteps.share, smallsteps.gain, smallsteps.flow.beta-0.25 -->

# %% tags=["hide-input", "parameters"]
scale: "Scale" = "small"  # small, or full for the sizes of the paper
depth: "Count" = 4  # layers of weights L
width: "Count" = 64  # neurons N of a hidden layer
batch: "Count" = 64  # fresh samples B of a step (ours)
richness: "Positive" = 0.5  # gamma_0 (ours)
angles: "Count" = 8192  # equidistant angles that samples are drawn from (ours)
seeds: "Seeds" = 2  # networks per curve
betas: "HardSources" = [0.1, 0.25, 0.5, 0.75]  # sources, of the hard ones of Figure 5a
eta: "Positive" = 0.025  # learning rate eta_0 (ours)
steps: "Count" = 600  # last step (ours)
eta_larger: "Positive" = 0.1  # learning rate of Figure 5
steps_larger: "Count" = 150  # last step of Figure 5

# %% tags=["hide-input"]
from IPython.display import display

from companion import circle_curves as circle
from companion import claims as ledger
from companion import notebook
from companion.pages import smallsteps as page
from companion.tables import Table
from neural_scaling import runs

plan = notebook.plan(page.Plan, globals())
results = plan.results()
rows, larger = (circle.curve_rows(some, results) for some in (plan.runs(), plan.larger()))
found, flows = page.compared(rows), page.flow(rows, larger)

# %% tags=["hide-input", "provenance"]
print(notebook.provenance(plan, seeds=range(seeds)))
print(runs.describe(list(results.values())))

# %% mystnb={"figure": {"caption": "Above: test loss against $\\eta_0 t$ in small steps (solid), in the steps of Figure 5 (dashed), and of infinitely wide lazy networks (dotted). Below: how much of the way from the local exponent of lazy theory to $\\chi$ the local exponent of the loss covers in small steps, half a decade at a time, where that way has half of its final length; thick in the window of the fit.", "name": "fig-smallsteps"}, "image": {"alt": "Upper panel: losses of hard tasks in two step sizes, and of lazy theory. Lower panel: the share of the way from the lazy exponent to chi against time, one curve per task."}} tags=["remove-input"]
display(page.figure(rows, larger))

# %% [markdown]
# ## Exponents in their windows
#
# Windows follow the rule of [Figure 5](fig-5-page), which looks at theory and at the kernel and never at the loss: from where the
# clock of the growing kernel has reached the last power of lazy theory and the kernel has doubled, until $\eta_0$ times the
# largest eigenvalue is 1. All rules and sizes were fixed before these runs were looked at. Only the first 10 000 steps at
# $\beta = 1/4$ were known: they stand in the study of the step size in Figure 5.

# %% tags=["hide-input"]
if plan.scale != "small":
    both = page.table({eta: found, eta_larger: page.compared(larger)})
    heads = {
        "lazy": "lazy theory",
        "predicted": "χ",
        "late": "second half",
        "share": "share of the way",
        "eta": "η₀",
        "window": "window in steps",
    }
    formats = dict.fromkeys(("lazy", "exponent", "predicted", "late"), ".3f") | {
        "share": ".2f",
        "decades": ".2f",
        "window": ".0f",
    }
    display(Table(both, "Exponents in small steps and in those of Figure 5", heads, formats))

# %% [markdown]
# ## Does the step size matter before the edge?
#
# If steps are small enough, the loss depends on $\eta_0 t$ alone. We compare both step sizes at equal $\eta_0 t$, in the last half
# decade before the larger steps are half-way to the edge of stability, or end. There they should differ most.

# %% tags=["hide-input"]
heads = {"window": "η₀t", "ratio": "loss in larger over loss in small steps"}
Table(flows, "Both step sizes at equal time", heads, {"ratio": ".3f", "interval": ".3f", "window": ".1f"})

# %% [markdown]
# ## Claims
#
# Exponents are judged as in [Figure 5](fig-5-page), but beside lazy theory at infinite width in place of linearised networks.
# At small scale networks have no window, and only the step size is judged.

# %% mystnb={"markdown_format": "myst"} tags=["hide-input"]
ledger.show(page.claims_of(plan, rows, found, flows, results))
