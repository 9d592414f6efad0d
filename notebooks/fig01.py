# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# (fig-1-page)=
# # Figure 1: exponents and phases
#
# **The paper says.** Without limits of width or batch the loss falls as $t^{-\chi}$, with $\chi = \beta$ when lazy and
# $\chi = \beta \max(1, 2/(1+\beta))$ when rich (paper eq. 10): only hard tasks, $\beta < 1$, gain. At fixed compute $C = Nt$
# tasks fall into three phases, according to which two terms of the loss balance at the optimum (paper eqs. 8 and 9).
#
# **Here.** The self-consistent equation has the exponent $\chi$, approached slowly near $\beta = 1$. The three phases follow
# from the loss law. In the printed figure the label of the easy phase names another pair of terms.
#
# <!-- here: fig-1.exponent.hard.rich, fig-1.exponent.easy.rich, fig-1.phase.easy.rich -->

# %% tags=["hide-input", "parameters"]
scale: "Scale" = "small"  # the only one: nothing here takes long
alpha: "Capacity" = 1.5  # capacity in panel (a), where it sets constants only (ours)
gamma: "Positive" = 1.0  # richness of the rich curves in panel (a) (ours)
sources: "Sources" = [
    0.1,
    0.3,
    0.5,
    0.7,
    0.9,
    1.1,
    1.2,
]  # sources at which the exponent is measured (ours), none of them 1
hard: "HardSource" = 0.5  # source of the hard task quoted as a claim
easy: "EasySource" = 1.2  # source of the easy task quoted as a claim
late: "Window" = [1.0e80, 1.0e120]  # window of the late fit, eta*steps (ours)
early: "Window" = [1.0e2, 1.0e4]  # window of the early fit, eta*steps (ours)
grid: "Count" = 14  # points per axis at which the phases are checked (ours)
largest_capacity: "Capacity" = 4.0  # upper end of alpha in (b) and (c) (ours)
largest_source: "Source" = 2.3  # upper end of beta in (b) and (c) (ours)

# %% tags=["hide-input"]
from IPython.display import display

from companion import claims as ledger
from companion import notebook
from companion.pages import fig01 as page
from companion.tables import Table

plan = notebook.plan(page.Plan, globals())

# %% tags=["hide-input", "provenance"]
print(notebook.provenance(plan))

# %% [markdown]
# ## The exponent
#
# The residual drives the kernel and decays with it. In this approximation (paper eq. 67) the sums over modes obey a closed
# equation:
#
# $$
# \begin{aligned}
# \frac{da}{dt} &= K, \qquad L = S(2a), \\
# K &= 1 + \gamma \int_0^t S(a(s))\, ds, \\
# S(a) &= \int_1^\infty k^{-\alpha\beta-1} e^{-a k^{-\alpha}}\, dk,
# \end{aligned}
# $$ (eq-self-consistent)
#
# Here $a(t)$ is the time, in units of $\eta t$, at which a frozen kernel would have the same loss, and $S$ is an incomplete
# gamma function, so {eq}`eq-self-consistent` can be followed to any time. A late window, far beyond any experiment, shows the
# asymptotic exponent; an early window shows what is within reach.

# %% tags=["hide-input"]
exponents = page.exponents(plan)

# %% tags=["hide-input", "nbval-check-output"]
formats = {"predicted": ".4f", "late": ".4f", "early": ".4f"}
Table(exponents.drop(columns=["interval", "window"]), formats=formats)

# %% [markdown]
# ## The phases
#
# The boundaries are $\beta = 1$, where the target leaves the Hilbert space of the initial kernel, and $\beta = 2 - 1/\alpha$,
# above which SGD noise decays more slowly than the signal. At each point of a grid we minimise the sum of four powers
# (paper eqs. 8 and 9) over $N$ at fixed $C = Nt$, and compare the terms that remain as $C \to \infty$ with the labels.

# %% tags=["hide-input"]
counts, changes = page.phase_counts(plan), page.improvements(plan)

# %% tags=["hide-input", "nbval-check-output"]
heads = {"regime": "region", "points": "tasks", "named": "as drawn here", "printed": "as printed"}
formats = {"named": ".0%", "printed": ".0%"}
Table(counts.drop(columns="known"), "Share of tasks at which the terms left are those of the label", heads, formats)

# %% mystnb={"figure": {"caption": "**Paper Fig. 1.** (a) Exponent of the loss in time against the source, lazy (dashed) and rich (solid). Circles: fitted to integrated curves at very late times. Crosses: rich curves fitted between 100 and 10000. (b, c) Phases, with the two terms that balance at fixed compute; the arrow points to the one that takes over. The dagger marks the label that differs from the printed figure.", "name": "fig-1"}, "image": {"alt": "Panel a: the rich exponent lies above the lazy straight line for sources below 1 and joins it at 1; measured circles lie on both curves, crosses slightly above near source 1. Panels b and c: the plane of source and capacity, divided by a vertical line at source 1 and a curve at 2 minus 1 over capacity into hard, easy and super-easy regions; only the hard region differs between lazy and rich."}} tags=["remove-input"]
display(page.draw(plan, exponents))

# %% [markdown]
# ## What the corrections change
#
# Two corrections found elsewhere in this book leave the phases as they are and change what happens inside them. For hard tasks
# the corrected finite-$N$ transient, $\frac{1}{N} t^{-(\beta - 1/\alpha) m}$ with $m = \max(1, 2/(1+\beta))$ when rich and 1
# when lazy, is of the same order, at the optimum, as the two terms of the label. For easier tasks the floor in $N$ is
# $N^{-\alpha}$ (printed: $N^{-\alpha \min(2, \beta)}$ in paper eqs. 8 and 9, $N^{-\alpha\beta}$ in the figure).
#
# Section 4 of the paper says that in the rich regime all exponents except that of the bottleneck stay the same or improve. This
# is true of each term as printed, but of the corrected terms only for gradient flow. The transient of hard tasks with
# $\beta < 1/\alpha$ grows with time, and faster when rich. Their SGD noise also grows, relative to the lazy one.

# %% tags=["hide-input", "nbval-check-output"]
formats = {"printed": ".3f", "corrected": ".3f"}
Table(changes, "Smallest change of an exponent from lazy to rich over the plane of tasks", formats=formats)

# %% [markdown]
# ## Claims
#
# An exponent counts as confirmed within 0.008, a sixth of the smallest difference between lazy and rich among the hard sources.
# A label counts as confirmed if its two terms remain for at least 99 % of the tasks of the region.

# %% mystnb={"markdown_format": "myst"} tags=["hide-input", "nbval-check-output"]
ledger.show(
    [
        *page.exponent_claims(plan, exponents),
        *page.phase_claims(plan, counts),
        *page.improvement_claims(plan, changes),
    ]
)

# %% [markdown]
# ## What was chosen
#
# The paper states everything in this figure except the range of $\alpha$ in (b, c). The circles and crosses are ours, with
# their capacity, richness and windows. The equation behind them keeps the growth of the kernel's scale and leaves out its
# low-rank spike, as the paper's argument does; {ref}`fig-2-page` solves the full dynamics.
