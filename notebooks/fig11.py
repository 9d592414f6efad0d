# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# (fig-11-page)=
# # Figures 11 and 12: two-layer linear networks
#
# **The paper says.** A plain two-layer linear network (paper eq. 84), trained by SGD without the projection of [the
# model](model), shows the same two regimes: an easy task keeps the exponent $\beta$, a hard one gains $2\beta/(1+\beta)$. A
# rank-one spike in the first layer, matched by $|w|^2$, stops for an easy task and grows as $t^{1 - 2\beta/(1+\beta)}$ for a hard one.
#
# **Here.** Both regimes are there. Over the steps of the figures the hard task is still between the lazy and the rich power, as
# [the theory](fig-11-windows) is; [further in the rich regime](fig-11-strong-section) the powers come out. The easy task stays
# below $\beta$ at every richness, because of a transient of finite width.
#
# <!-- here: fig11.hard.strong -->

# %% tags=["hide-input", "parameters"]
scale: "Scale" = "small"  # small, or full for the sizes of the paper
alpha: "Capacity" = 2.0  # capacity
beta_easy: "EasySource" = 1.2  # source of panels (a)
beta_hard: "HardSource" = 0.2  # source of panels (b)
modes: "Count" = 1000  # M
width: "Count" = 50  # N
batch: "Size" = 128.0  # B
eta0: "Positive" = 0.03  # learning rate; plain SGD uses eta0 gamma0^2 (ours)
gammas: "Rising" = [1.0e-3, 1.0e-1, 1.0]  # richness gamma0 of each curve, ascending
steps: "Count" = 800  # last step
seeds: "Seeds" = 2  # initializations and data streams (ours)
width_wide: "Count" = 100  # N of wider networks, one seed (ours)
gammas_wide: "Rising" = [1.0e-3, 1.0]  # their richnesses (ours)
eta0_strong: "Positive" = 3.0e-3  # learning rate of networks far in the rich regime (ours)
gamma_strong: "Positive" = 5.0  # their richness (ours)
widths_lazy: "RisingCounts" = [50, 200, 800]  # N of linearised networks (ours)
modes_lazy: "Count" = 500  # their M (ours)

# %% tags=["hide-input"]
import math

import pandas as pd
from IPython.display import display

from companion import claims as ledger
from companion import linear_curves, notebook
from companion.pages import fig11 as page
from companion.tables import Table
from neural_scaling import runs
from neural_scaling.models.linear_networks import literal_setting

plan = notebook.plan(page.Plan, globals())
results = plan.results()

# %% tags=["hide-input", "provenance"]
print(notebook.provenance(plan, seeds=range(seeds)))
print(runs.describe(list(results.values())))

# %% [markdown]
# ## The network and its richness
#
# The network is $f = \frac{1}{\gamma}\,[\,w \cdot A x - w(0) \cdot A(0) x\,]$ (paper eq. 84) with normal inputs of covariance
# $\Lambda$. Both layers start with independent normal entries of variance $1/N$ and move by plain SGD on $(y - f)^2/2$ with
# learning rate $\eta_0 \gamma_0^2$. With this scale the $\gamma$ of paper eq. 84 *is* the richness $\gamma_0$ of a mean-field network
# $f = w \cdot A x / (\gamma_0 N)$ with standard normal weights and step $\eta_0 N \gamma_0^2$. Entries of standard deviation $s$ give
# the same network for
#
# $$ \gamma = \gamma_0 N s^2, \qquad \text{learning rate} = \eta_0 \gamma_0^2 N s^2 . $$
#
# The kernel is $A^\top A + |w|^2$, about twice the identity at the start. It moves along all $M$ input modes: unlike the
# projected model it has no bottleneck at finite $N$.

# %% tags=["hide-input"]
settings = pd.DataFrame([literal_setting(gammas[-1], eta0, width, s) for s in (width**-0.5, 1.0)])
heads = {"init_scale": "s", "learning_rate": "learning rate"}
Table(settings, f"Paper eq. 84 for γ₀ = {gammas[-1]:g}", heads, {"learning_rate": "g"})

# %% [markdown]
# ## The batches
#
# All richnesses of a seed share the initialization and the batches. A batch enters only through its products with the
# residuals, so one normal per mode and network replaces the $B$ normals per mode of a drawn batch, with the same joint law.
# The network itself cannot be reduced like the projected model: every batch adds a new direction to the rows of $A$.

# %% [markdown]
# ## Figure 11: the loss

# %% tags=["hide-input"]
networks = page.networks(plan, results)

# %% mystnb={"figure": {"caption": "**Paper Fig. 11.** Test loss of linear networks against steps, (a) easy and (b) hard task, for five richnesses on the same batches. Lines and bands: geometric mean and one standard deviation over seeds. Dashed: the predicted powers.", "name": "fig-11"}, "image": {"alt": "Two log-log plots of loss against steps. For the easy task the curves of all richnesses run nearly parallel. For the hard task those of small richness coincide and the richest falls faster."}} tags=["remove-input"]
display(page.loss_figure(networks))

# %% [markdown]
# Theory gives each window before looking. It starts when five modes are learned, with a kernel that starts at 2 and grows by
# $\gamma_0^2$ times the growth of paper eq. 10. It ends with the last step, at the edge of stability, or where the transient of finite
# width, $(1/N)\,(2\eta_0 t)^{-(\min(1, \beta) - 1/\alpha)}$, is half of $(2\eta_0 t)^{-\beta}$, with prefactors one. The interval of the mean
# slope counts the spread over seeds (Student's) and the bend of the curves.
#
# For the hard task a second fit adds the variance of the target beyond the $M$ modes, which a network with infinitely many
# modes would still have to learn. At this small $\beta$ the tail is not small: without it any falling curve looks steeper than its
# power.

# %% tags=["hide-input", "nbval-check-output"]
found = linear_curves.exponents(networks)
tail = f": the tail beyond M = {modes} adds {networks['hard'].tail:.3f}"
display(page.table(networks, found, "easy", "loss"), page.table(networks, found, "hard", "loss"))
display(page.table(networks, found, "hard", "loss, all modes", tail))

# %% [markdown]
# ## Figure 12: the growth of the weights

# %% mystnb={"figure": {"caption": "**Paper Fig. 12.** The squared norm of the readout for the same runs, (a) easy and (b) hard task. Lines: geometric mean over seeds; the band, one standard deviation, is drawn for the largest richness only. Dashed: the powers of perturbation theory, $1 - \\beta$, and of the self-consistent equation, $1 - 2\\beta/(1+\\beta)$.", "name": "fig-12"}, "image": {"alt": "Two log-log plots of the squared norm of w against steps. For the easy task the richest network grows a little and levels off. For the hard task it keeps growing along the flatter of two dashed guides."}} tags=["remove-input"]
display(page.weights_figure(networks))

# %% [markdown]
# At small richness $|w|^2$ stays at its initial value and its growth is too small to see, so the fits also take
# $|w - w(0)|^2$. For $\gamma_0 \to 0$ that is $\gamma_0^2$ times perturbation theory, whatever the richness.

# %% tags=["hide-input", "nbval-check-output"]
display(page.table(networks, found, "easy", "|w|^2"), page.table(networks, found, "hard", "|w|^2"))
display(page.table(networks, found, "hard", "|w - w(0)|^2"))

# %% [markdown]
# (fig-11-strong-section)=
# ## Why the exponents of the figures fall short
#
# The rich powers hold where the kernel has grown far beyond its initial size. With $\gamma_0 \le 1$ and a learning rate below the
# edge of stability for all steps, the kernel grows too little and the local exponents are still on their way. A larger
# richness with a smaller learning rate reaches further in as many steps: there the loss follows the rich power, and $|w|^2$
# its own.
#
# The easy task suffers from the transient of finite width, $(1/N)\, t^{-(1 - 1/\alpha)}$, which soon shows; wider networks follow
# $t^{-\beta}$ for longer. It also flattens the growth of $|w - w(0)|^2$ at small richness, once the number of learned modes is no
# longer small compared with $N$.

# %% mystnb={"figure": {"caption": "Local exponents of the hard task, averaged over half a decade, at the smallest and largest richness of the figures and far in the rich regime. Upper panel: decay of the loss (the tail of unseen modes added). Lower panel: growth of the squared change of the readout. Dashed: lazy and rich prediction.", "name": "fig-11-regime"}, "image": {"alt": "Upper panel: the local exponent of the loss stays near 0.2 for the smallest richness, rises towards one third for richness one and lies near one third for the largest. Lower panel: local growth exponents of the weights fall towards the predictions from above."}} tags=["remove-input"]
display(page.regime_figure(networks))

# %% tags=["hide-input", "nbval-check-output"]
caption = f"Wider networks, and far in the rich regime (η₀ = {eta0_strong:g})"
further = found[found.network.isin(["easy.wide", "hard.wide", "strong"])]
further = further[(further.beta < 1) | (further.quantity == "loss")]
Table(further[["beta", "width", "gamma0", "quantity", *linear_curves.FIT]], caption, formats=page.FORMATS)

# %% [markdown]
# The limit $\gamma_0 \to 0$, $B \to \infty$ shows the effect of width on the easy task without noise: the loss follows from the
# eigenvalues of the initial kernel. All widths are fitted in the window of the paper's.

# %% tags=["hide-input", "nbval-check-output"]
lazy = page.lazy_exponents(plan, networks["easy"])
formats = {"exponent": ".2f", "interval": ".2f", "window": ".0f"}
Table(lazy, f"Linearised networks, easy task, β = {beta_easy:g}", formats=formats)

# %% [markdown]
# (fig-11-windows)=
# ## The theory in the same windows
#
# At infinite width nothing of the projection in [the model](model) is left, so these networks and the model have the same
# limit: gradient flow (paper eqs. 51 and 52) with $\gamma = \gamma_0^2/4$ on the clock $2 \eta_0 t$, because the kernel starts at 2.
# Its slope in the window of a fit is what a network should show there, however far the power still is. The lazy easy task,
# which feels the width, is compared with linearised networks of the same width. The intervals are those of the mean over
# seeds; both sides bend alike.

# %% tags=["hide-input"]
compared = page.same_window(plan, networks)
cases = compared.name.str.removeprefix("weights.").str.replace(".", ", ")
heads = {"name": "case", "theory": "exponent of the theory", "exponent": "of the networks", "interval": "95 %"}
formats = {"theory": "z.3f", "exponent": "z.3f", "interval": "z.3f", "window": ".0f"}
Table(compared.assign(name=cases), f"Mean slopes in the same window, N = {width}", heads, formats)

# %% [markdown]
# ## The spike
#
# Gradient flow keeps $A A^\top - w w^\top$ as it was, so what $w$ gains shows in $A$ as a rank-one addition, along $w$ on the left
# and along the learned map on the right. The first layer starts full of noise, with squared singular values between
# $(\sqrt{M/N} - 1)^2$ and $(\sqrt{M/N} + 1)^2$. A rank-one addition owns the leading singular direction only when its size
# $|w|^2$ exceeds $1 + \sqrt{M/N}$; its squared overlap is then $1 - (M/N)/(|w|^2 - 1)^2$ (large $N$, from the R-transform of a
# Wishart matrix). Smaller ones hide in the bulk: the change $A - A(0)$ is close to rank one at any richness. On the easy task
# the spike never leaves the bulk.

# %% mystnb={"figure": {"caption": "Overlap of the leading left singular vector of the first layer with the readout, against the squared norm of the readout: one dot per fourth recorded step and seed, at the largest richness of Figure 11 and far in the rich regime. Dashed: the prediction for infinite width.", "name": "fig-11-spike"}, "image": {"alt": "Overlap against squared norm of w. For the hard task the overlap rises to nearly one along the dashed prediction as the norm grows. The easy task stays at the left, where the overlap is small."}} tags=["remove-input"]
display(page.spike_figure(networks))

# %% tags=["hide-input", "nbval-check-output"]
layer = linear_curves.first_layer(networks)
heads = {
    "weight_norm": "|w|²",
    "spike_readout": "A: overlap with w",
    "spike_learned": "A: with θ",
    "rank_one": "A - A(0): share of the first",
    "change_readout": "A - A(0): with w",
    "change_target_seen": "A - A(0): with the target",
}
formats = {"weight_norm": ".1f", "spike_readout": ".1f", "spike_learned": ".1f", "imbalance": ".0e"}
formats |= dict.fromkeys(("rank_one", "change_readout", "change_target_seen"), ".2f")
leaves = 1 + math.sqrt(modes / width)
Table(layer, f"Last step; the spike leaves the bulk at |w|² = {leaves:.1f}", heads, formats)

# %% [markdown]
# ## Overlaps and balance
#
# The overlaps are those of the leading singular vectors: on the left with $w$, on the right with the learned map $\theta$ or, as
# functions of the data, with the target. The share is that of the first singular value in the squared norm of $A - A(0)$. The
# imbalance is the norm of the change that training makes in $A A^\top - w w^\top$, over that in $A A^\top$, the largest over all
# recorded steps. It is zero for gradient flow and grows with the learning rate and with the richness.
#
# ## Claims
#
# Exponents are judged by the rule for networks. The asymptotic powers are asked of the widest networks and, rich, also of
# those far in the rich regime, with the modes beyond $M$ counted; the other fits stand in the tables above. At the paper's
# width the slopes are compared with the theory in the same window. An overlap counts as confirmed within 0.05.

# %% mystnb={"markdown_format": "myst"} tags=["hide-input", "nbval-check-output"]
ledger.show(
    [
        *page.power_claims(plan, found, weights=False),
        *page.easy_claims(plan, networks["easy"]),
        page.lazy_claim(plan, lazy),
        *page.window_claims(plan, compared),
        *page.power_claims(plan, found, weights=True),
        *page.spike_claims(plan, networks, layer),
    ]
)

# %% [markdown]
# ## What was chosen
#
# The paper states the capacity, both sources, $M$, $N$, $B$, the range of richness and $10^4$ steps. Ours are the learning
# rate, the scale of the initial weights (variance $1/N$ in both layers, so that $|w|^2$ starts near 1 and the lazy kernel is of
# order one), the richness 0.3 between the paper's decades, the number of seeds, the wider networks and those far in the rich
# regime.
#
# The learning rate, the start of the fits and the networks far in the rich regime were chosen after trial runs with fewer
# modes and steps: the rate keeps the richest network clear of the edge of stability on the hard task, the start leaves the
# easy task a decade before the transient. Small scale has narrower networks, fewer modes and fewer steps: the order of the
# curves shows, the powers less so.
