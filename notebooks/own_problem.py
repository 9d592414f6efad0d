# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# (own-problem-page)=
# # Use it on your problem
#
# **The paper says.** Two exponents of the kernel at the start, the capacity $\alpha$ and the source $\beta$ (paper eq. 6), determine how
# the loss falls and whether learned features change its power (paper eq. 10).
#
# **Here.** Your own spectrum, kernel, network or curves take the place of the power law. Where the samples no longer determine
# a curve, the fitted power continues it, with a band, and the result says so.
#
# ## Four starts, one result
#
# Give a spectrum, a kernel on samples, data with a network of torch, or measured loss curves:
#
# ```python
# from neural_scaling import predict
#
# predict.from_spectrum(eigenvalues, coefficients)
# predict.from_kernel(kernel, targets)
# predict.from_network(network, inputs, targets)
# predict.from_curves(steps, losses)
# ```
#
# Each returns a {class}`~neural_scaling.predict.Prediction`: how hard the task is, the learning curves with frozen and with
# learned features, the largest learning rate, and the best width and time for a budget of compute, each with its error.
# {func}`~neural_scaling.predict.save_report` writes a report that opens offline.
#
# ## From the command line
#
# The command line does the same for files:
#
# ```bash
# neural-scaling predict spectrum.csv
# neural-scaling predict kernel.npz --output report
# neural-scaling predict data.npz --network mymodule:factory
# neural-scaling predict curves.csv
# ```

# %% tags=["hide-input", "parameters"]
scale: "Scale" = "small"  # small, or full
alpha: "Capacity" = 1.5  # capacity of the task with a known answer
beta: "Source" = 0.5  # its source
samples: "Count" = 1000  # P, its samples
noise: "Positive" = 0.01  # variance of its label noise over that of its target
seed: "Seed" = 0  # of its samples
datasets: "Images" = ["mnist"]  # datasets
images: "Count" = 300  # n, training images of a kernel
test: "Count" = 200  # test images
width: "Count" = 8  # N, filters of each convolution
nearly_lazy: "Positive" = 0.03  # gamma_0 at which features hardly move
richness: "Positive" = 1.0  # gamma_0 at which they do
eta: "Positive" = 0.1  # learning rate eta_0
batch: "Count" = 64  # samples B of a step
steps: "Count" = 60  # last step T
seeds: "Seeds" = 2  # networks per curve

# %% tags=["hide-input"]
import numpy as np
from IPython.display import display

from companion import notebook
from companion.pages import own_problem as page
from companion.tables import Table
from neural_scaling import runs

plan = notebook.plan(page.Plan, globals())
if notebook.needs_data(plan) and any(notebook.dataset(name) is None for name in datasets):
    plan = notebook.shipped_plan(page.Plan)
results = plan.results()
task = page.known(plan)

# %% tags=["hide-input", "provenance"]
print(notebook.provenance(plan, seeds=range(plan.seeds)))
print(runs.describe(list(results.values())))

# %% [markdown]
# ## A task with a known answer
#
# Samples of a task with a power-law spectrum are drawn, with a little noise on the labels. The prediction sees their kernel matrix and
# their labels, nothing else. The exact curves of the task, solved with its true spectrum, lie on top.

# %% mystnb={"figure": {"caption": "Bands: predicted from the kernel of the samples, 95 %. Lines: exact curves of the task, frozen features solid, learned features dashed. Dotted: the time from which on more than half of the lazy loss lies in modes that the samples do not resolve.", "name": "fig-own-known"}, "image": {"alt": "Two falling curves of loss against time, each inside its predicted band; the curve of learned features falls faster."}} tags=["remove-input"]
display(page.known_figure(task))

# %% tags=["hide-input"]
display(
    Table(
        page.answers(plan, task), "Exponents from the samples", heads={"value": "found", "inside": "interval holds it"}
    )
)
display(Table(page.held(task), "Share of points at which the band holds the exact curve", formats={"inside": ".2f"}))

# %% [markdown]
# ## A spectrum typed in
#
# The eigenvalues may come in any order and from anywhere: a kernel that you can diagonalize, a paper, a guess.
#
# ```python
# k = np.arange(1, 301)
# predict.from_spectrum(k**-1.3, 1 / k)
# ```

# %% tags=["hide-input"]
k = np.arange(1, 301)
Table(page.summary(page.typed(k**-1.3, 1 / k)), "What is predicted")

# %% [markdown]
# ## Images and a network of your own
#
# The network below is written in plain torch. It uses nothing of the library.
#
# ```{literalinclude} ../../src/companion/own_runs.py
# :pyobject: network
# ```
#
# Its tangent kernel on a few hundred or thousand images predicts the learning curve before any training. Then the network is
# trained online, centred and in mean-field scaling, at two richnesses. The richness of the theory is not that of the network: the
# curve of learned features says how the loss can fall, not which $\gamma_0$ gives it.
#
# Early on the nearly lazy network has the predicted loss. Late it is slower: at this width outputs are coupled through the
# kernel, which the average over outputs leaves out ({ref}`source-page`).

# %% mystnb={"figure": {"caption": "Test loss, summed over outputs. Bands: predicted from the kernel at the start, before training. Dotted: gradient flow on the images of the kernel, evaluated on them (lower) and on test images (upper). Lines: the trained network, mean over seeds.", "name": "fig-own-images"}, "image": {"alt": "Log-log plots of test loss against steps: predicted bands and trained curves, which stay near the band of frozen features at small richness and fall below it at large richness."}} tags=["remove-input", "lead"]
display(page.images_figure(plan, results))

# %% tags=["hide-input"]
display(
    Table(
        page.images(plan.forecasts(), results),
        "What the kernel says",
        heads={
            "capacity": "α",
            "capacity_interval": "95 % of α",
            "source": "β",
            "source_interval": "95 % of β",
            "hard": "probability that it is hard",
            "largest": "largest stable η₀",
        },
    )
)
for run in plan.forecasts():
    display(
        Table(
            page.along(plan, run, results),
            f"{page.title(run.dataset)}: trained over predicted loss along the curve",
            heads={
                "predicted": "predicted, lazy",
                "bounds": "bounds from the images",
                "trained": f"trained, γ₀ = {plan.nearly_lazy:g}",
                "ratio": "trained/predicted",
                "learned": f"γ₀ = {plan.richness:g} over γ₀ = {plan.nearly_lazy:g}",
            },
        )
    )
