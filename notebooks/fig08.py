# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# (fig-8-page)=
# # Figure 8: a transformer that predicts the next token
#
# **What the paper claims.** The cross-entropy of a decoder-only transformer trained by gradient descent on C4 falls as $t^{-\beta}$ in tokens at
# richness $\gamma_0 = 10^{-4}$, and faster at $\gamma_0$ = 0.01 to 0.1, near $t^{-\beta(2-\beta)}$, the first correction that feature learning makes to a small
# $\beta$.
#
# **What came out.** On real text too a network whose features move learns faster than the same network with features that stand still, on the very same
# batches. Which powers describe the curves depends on what is assumed about the loss that nobody can avoid, the entropy of the text: the table below fits
# them with and without a constant.

# %% tags=["hide-input", "parameters"]
scale: str = (
    "small"  # small, reduced for one pass over the text of the registries, or full for the paper's settings on a GPU
)
dataset: str = "speeches-books"  # text; c4 needs the optional extra
context: int = 32  # tokens of a sequence
depth: int = 2  # blocks L
heads: int = 2  # attention heads of a block
head_size: int = 16  # d; the width is N = heads x d
residual: float = 8.0  # beta_res
richness: list[float] = [0.0001, 0.1]  # gamma_0, the laziest first
eta: float = 5.0  # learning rate (ours)
batch: int = 16  # sequences of a step
steps: int = 300  # steps
seed: int = 0  # of weights and order of the text
test: int = 32  # held-out sequences
average: int = 20  # batches in the moving average

# %% tags=["hide-input"]
from IPython.display import Markdown, display

from neural_scaling import claims as ledger
from neural_scaling import notebook, runs
from neural_scaling.figures import figure08 as draw
from neural_scaling.items import figure08 as item

plan = item.Plan(
    dataset=dataset,
    context=context,
    depth=depth,
    heads=heads,
    head_size=head_size,
    residual=residual,
    richness=richness,
    eta=eta,
    batch=batch,
    steps=steps,
    seed=seed,
    test=test,
    average=average,
)
if notebook.text(plan.dataset) is None:
    scale, plan = notebook.shipped_plan(item.Plan, item.ITEM)
results = runs.obtain_all(plan.experiments(), item.ITEM, scale)
found = [item.curve(run, results) for run in plan.runs()]

# %% tags=["hide-input", "provenance"]
print(notebook.provenance(scale, seeds=plan.seed))
print(runs.describe(list(results.values())))

# %% [markdown]
# ## Losses
#
# The loss of a batch before its step is that of text not seen before, since no sequence comes twice, so the training curve is a test curve; its noise is that of a
# batch. Dots are held-out documents. All networks start from the same weights and see the same batches, and all curves start at the
# logarithm of the vocabulary, because the output is centred.

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig-8", "caption": "Figure 8 of the paper, reduced. Cross-entropy against tokens: moving averages over fresh batches, dots for held-out text. Grey: the logarithm of the vocabulary. Dashed: fit of the lazy curve in the last decade of tokens. Dash-dotted and dotted: the powers predicted from it for rich networks."}, "image": {"alt": "Log-log plot of cross-entropy against tokens. All curves fall from the logarithm of the vocabulary; the richer the network the lower its curve."}}
display(draw.loss_figure(found, plan.average))

# %% [markdown]
# ## Lazy and rich on the same batches
#
# Ratios of losses on the same batches have a fraction of the noise of the losses. Below, how far the features that the readout sees have moved on held-out
# text, relative to their own size; the square root of two is as far as features go that have forgotten where they started.

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig-8-gap", "caption": "Above: loss over that of the laziest network, moving averages over the same batches. Below: change of the features that the readout sees, relative to their size."}, "image": {"alt": "Upper panel: ratios of losses fall below one as training goes on, the richer the further. Lower panel: features move in proportion to the richness."}}
display(draw.gap_figure(found, plan.average))

# %% [markdown]
# ## Exponents
#
# Fits use the last decade of tokens, fixed without a look at the curves, and means in bins of which each has an error from the scatter of its batches. Beside the
# power law stands one with a constant, the part of the loss that cannot be learned. A constant as high as the loss itself makes any exponent possible:
# its interval shows how much.

# %% tags=["hide-input"]
print(item.table(found))
for name, exponent in item.predictions(found[0].fit.exponent).items() if found[0].fit else ():
    print(f"predicted from the lazy exponent: {name} {exponent:.4f}")

# %% tags=["hide-input"]
# What must hold at any scale: richer networks end lower, in fresh batches and on held-out text, and only their features have moved.
assert found[-1].binned[1, -1] < found[0].binned[1, -1], "the richest network lies above the laziest"
assert found[-1].held_out[-1] < found[0].held_out[-1], "the same on held-out text"
assert found[0].held_out[-1] < 0.95 * found[0].loss[0], "the laziest network has learned next to nothing"
assert found[0].moved[-1] < 0.01 < found[-1].moved[-1], (
    "features move where they should not, or do not where they should"
)

# %% tags=["hide-input", "nbval-check-output"]
print("lower the richer the network:", bool(found[-1].held_out[-1] < found[0].held_out[-1]))
print("all learn from the start:", all(bool(one.binned[1, 0] < one.loss[0]) for one in found))

# %% [markdown]
# ## Claims
#
# The power of a rich network counts as confirmed within a third of the gap between $\beta$ of the lazy curve and $2\beta/(1+\beta)$. At small $\beta$ this and
# $\beta(2-\beta)$ are closer to each other than that. The exponent is the lazy one plus that of the ratio of losses.

# %% tags=["hide-input"] mystnb={"markdown_format": "myst"}
claims = item.claims(found, scale)
ledger.record(claims)
display(Markdown(ledger.to_markdown(claims)))

# %% [markdown]
# ## What was chosen, and what is reduced
#
# The paper states depth 4, 16 heads of 128, gradient descent, C4 and SentencePiece. Public code of the same group (`train_C4.py` and `language_expts.ipynb` of
# `Pehlevan-Group/inf_transformer_limits`) gives the rest: {mod}`neural_scaling.networks.transformer` says what was taken from there and what is ours. Its
# settings are `context: 256`, `batch: 128`, `steps: 100000`, `eta: 40.0`, `average: 200`, and its lines were drawn by eye with $\beta = 0.0325$ (in
# steps from 10 on, the second from 200 on).
#
# - **Text and width.** One pass over four million tokens of speeches and books instead of three thousand million of C4, and networks that two
#   cores train in an hour. Exponents of another text and another range of tokens need not be those of C4.
# - **Learning rate and batch.** Of the learning rates 5, 10, 20, 40 and 80 the largest is taken at which lazy networks of width 128 did not diverge in a first
#   100 steps (at 40 the loss rises above its start); with a batch of a sixty-fourth of the tokens one pass has 8200 steps.
# - **Small scale** has little of everything: the order of the curves shows, exponents do not.
