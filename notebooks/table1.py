# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# (tab-1-page)=
# # Table 1: compute-optimal exponents
#
# **The paper says.** At fixed compute $C = N t$ the best loss falls as $C^{-r}$. Feature learning raises $r$ for hard tasks and
# leaves it for easy and super-easy ones. The entries follow from the loss law (paper eqs. 8 and 9).
#
# **Here.** Numerical minimisation gives every entry of {ref}`Table 1 <tab-1>`, with the terms as printed and as corrected
# in this book. Two entries carry a condition: the super-easy one needs a finite batch, and the rich hard one needs
# $\eta K(t)$ and $(\eta/B) K(t)$ to stay small while the kernel $K$ grows.
#
# <!-- here: tab-1.hard.rich, tab-1.easy.rich, tab-1.super-easy.rich -->
#
# ```{table} Compute-optimal exponents: $L_\star \sim C^{-r}$, and with it $N_\star \sim C^{a}$, $t_\star \sim C^{1-a}$ ($a$ is derived here).
# :name: tab-1
#
# | | hard, $\beta < 1$ | easy, $1 < \beta < 2 - 1/\alpha$ | super-easy, $\beta > 2 - 1/\alpha$ |
# | --- | --- | --- | --- |
# | lazy, $r$ | $\dfrac{\alpha\beta}{\alpha + 1}$ | $\dfrac{\alpha\beta}{\alpha\beta + 1}$ | $1 - \dfrac{1}{2\alpha}$ |
# | rich, $r$ | $\dfrac{2\alpha\beta}{\alpha(1+\beta) + 2}$ | $\dfrac{\alpha\beta}{\alpha\beta + 1}$ | $1 - \dfrac{1}{2\alpha}$ |
# | lazy, $a$ | $\dfrac{1}{\alpha + 1}$ | $\dfrac{\alpha\beta - \alpha + 1}{\alpha\beta + 1}$ | $\dfrac{1}{2}$ |
# | rich, $a$ | $\dfrac{2}{\alpha(1+\beta) + 2}$ | $\dfrac{\alpha\beta - \alpha + 1}{\alpha\beta + 1}$ | $\dfrac{1}{2}$ |
# ```
#
# Rich hard tasks want more parameters and fewer steps than lazy ones.

# %% tags=["hide-input", "parameters"]
scale: "Scale" = "small"  # the only one: nothing here takes long
alpha: "Capacity" = 2.0  # capacity of the tasks quoted in the claims (ours)
hard: "HardSource" = 0.5  # source of the hard task (that of Figure 4)
easy: "EasySource" = 1.25  # source of the easy task (that of Figure 4)
super_easy: "EasySource" = 1.75  # source of the super-easy task (that of Figure 4)
capacities: "Capacities" = [1.25, 1.5, 3.0]  # further capacities shown (ours)
compute: "Positive" = 1.0e6  # compute of the last column, N * eta * steps (ours)
grid: "Count" = 28  # tasks per axis of the check over the plane (ours)

# %% tags=["hide-input"]
import pandas as pd

from companion import claims as ledger
from companion import notebook
from companion.claims import bound
from companion.pages import table1 as page
from companion.tables import Table

plan = notebook.plan(page.Plan, globals())

# %% tags=["hide-input", "provenance"]
print(notebook.provenance(plan))

# %% [markdown]
# ## Formulas against minimisation
#
# In logarithms the loss at fixed $C$ is a convex function of $\ln N$ with one minimum. Its local exponents are read at
# $\ln C = 10^4$, where only the balancing terms are left, for the law as printed (paper eqs. 8 and 9) and as corrected. The
# last column of the first table is the local exponent of the corrected law at a compute that an experiment reaches, where it
# can still differ from its limit.

# %% tags=["hide-input", "nbval-check-output"]
found = page.optima(plan)
task, reached = ["alpha", "beta", "regime", "limit"], f"at C = {compute:.0e}"
heads = {"r": "formula", "r_paper": "printed", "r_corrected": "corrected", "reached": reached}
formats = {"r": ".4f", "r_paper": ".4f", "r_corrected": ".4f", "reached": ".3f"}
Table(found[[*task, *heads]], "Exponent r of the loss", heads, formats)

# %% tags=["hide-input", "nbval-check-output"]
heads = {"a": "formula", "a_paper": "printed", "a_corrected": "corrected"}
Table(found[[*task, *heads]], "Exponent a of the width", heads, dict.fromkeys(heads, ".4f"))

# %% [markdown]
# The same comparison over the plane of tasks:

# %% tags=["hide-input", "nbval-check-output"]
cases, gap = page.largest_gap(plan)
checked = pd.DataFrame({"cases": [cases], "gap": [bound(gap)]})
Table(checked, heads={"cases": "minimisations", "gap": "largest difference from a formula"})

# %% [markdown]
# ## The condition on the rich hard entry
#
# With feature learning the kernel of a hard task grows without end, and with it the noise of SGD: to leading order
# the loss carries a factor $1 + \frac{\eta}{B} K(t) \sum_k \lambda_k / 2$. While the second term is small, the table
# holds. If it is kept in the loss law at a fixed batch all the way to $C \to \infty$, where the expansion no longer
# holds, the exponent of the law drops:

# %% tags=["hide-input", "nbval-check-output"]
small = found[(found.alpha == alpha) & (found.beta == hard) & (found.limit == "rich")].r.item()
noise = pd.DataFrame(
    {
        "kept": ["while (η/B) K(t) is small", "if (η/B) K(t) L(t) is kept for ever"],
        "r": [small, page.fixed_batch_exponent(alpha, hard)],
    }
)
Table(noise, f"Rich task with α = {alpha:g}, β = {hard:g}", {"kept": "SGD noise"}, {"r": ".3f"})

# %% [markdown]
# ## Claims
#
# An entry counts as confirmed within half a per cent. This tests the step from the loss law to the table. Other pages test the
# loss law itself, where the dynamics is solved.

# %% mystnb={"markdown_format": "myst"} tags=["hide-input", "nbval-check-output"]
ledger.show(page.table_claims(plan, found, cases, gap))

# %% [markdown]
# ## What was chosen
#
# The table is stated in full by the paper. The capacity 2 of the tasks quoted is ours (Figure 4 does not state its
# own), the sources are those of Figure 4. $B = \eta = 1$ and prefactors of one move crossovers but not exponents.
# Tasks closer than 0.02 to a boundary in $\beta$ are left out of the check over the plane, because there two terms
# tie; $r$ and $a$ are continuous across the boundaries.
