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
# (tab-1-page)=
# # Table 1: compute-optimal exponents
#
# **What the paper claims.** At fixed compute $C = N t$ the best loss falls like $C^{-r}$. For hard tasks feature
# learning raises $r$; for easy and super-easy tasks it does not.
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
# **What came out.** Minimising the sum of four powers numerically gives every entry of {numref}`tab-1`, with the
# terms as printed and as corrected in this book. Rich hard tasks want more parameters and fewer steps than lazy ones.
# Two entries carry a condition: the super-easy one needs a finite batch, and the rich hard one needs $\eta K(t)$ and
# $(\eta/B) K(t)$ to stay small while the kernel $K$ grows.

# %% tags=["hide-input", "parameters"]
scale: "Scale" = "small"  # small or full; full checks a finer grid of tasks
alpha: "Capacity" = 2.0  # capacity of the tasks quoted in the claims (ours)
hard: "HardSource" = 0.5  # source of the hard task (that of Figure 4)
easy: "EasySource" = 1.25  # source of the easy task (that of Figure 4)
super_easy: "EasySource" = 1.75  # source of the super-easy task (that of Figure 4)
capacities: "Capacities" = [1.25, 1.5, 3.0]  # further capacities shown (ours)
compute: "Positive" = 1.0e6  # compute of the last column, N * eta * steps (ours)
grid: "Count" = 14  # tasks per axis of the check over the plane (ours)

# %% tags=["hide-input"]
import numpy as np

from companion import claims as ledger
from companion import notebook
from companion.pages import table1 as page

plan = notebook.plan(page.Plan, globals())

# %% tags=["hide-input", "provenance"]
print(notebook.provenance(plan))

# %% [markdown]
# ## Formulas against minimisation
#
# In logarithms the loss at fixed $C$ is a convex function of $\ln N$ with one minimum. Its local exponents are read
# off at $\ln C = 10^4$, where only the balancing terms are left, for the law as printed (eqs. 8 and 9) and as
# corrected; the last column of the first table is the local exponent of the corrected law at a compute that an
# experiment reaches. There the exponent can still be some per cent away from its limit.

# %% tags=["hide-input", "nbval-check-output"]
tasks = [
    (value, beta, rich) for value in (alpha, *capacities) for beta in (hard, easy, super_easy) for rich in (False, True)
]
rows = [page.optimum_row(*task, compute) for task in tasks]
print("exponent r of the loss")
print(f"alpha  beta  regime      limit  formula  printed  corrected  C={compute:.0e}")
for row in rows:
    limit = "rich" if row.rich else "lazy"
    print(
        f"{row.alpha:<5g}  {row.beta:<4g}  {row.regime:<10}  {limit}   {row.r:.4f}   {row.found_r[0]:.4f}   "
        f"{row.found_r[1]:.4f}     {row.reached_r:.3f}"
    )

# %% tags=["hide-input", "nbval-check-output"]
print("exponent a of the width")
print("alpha  beta  regime      limit  formula  printed  corrected")
for row in rows:
    limit = "rich" if row.rich else "lazy"
    print(
        f"{row.alpha:<5g}  {row.beta:<4g}  {row.regime:<10}  {limit}   {row.a:.4f}   {row.found_a[0]:.4f}   "
        f"{row.found_a[1]:.4f}"
    )

# %% tags=["hide-input", "nbval-check-output"]
cases, gap = page.grid_gap(np.linspace(1.1, 4.0, grid).tolist(), np.linspace(0.1, 2.5, grid).tolist())
assert gap < 1e-6, f"a formula and its minimisation differ by {gap}"
print(f"{cases} minimisations agree with the formulas to 1e-6")

# %% [markdown]
# ## The condition on the rich hard entry
#
# With feature learning the kernel of a hard task grows without end, and with it the noise of SGD: to leading order
# the loss carries a factor $1 + \frac{\eta}{B} K(t) \sum_k \lambda_k / 2$. While the second term is small, the table
# holds. If it is kept in the loss law at a fixed batch all the way to $C \to \infty$, where the expansion no longer
# holds, the exponent of the law drops:

# %% tags=["hide-input", "nbval-check-output"]
small_noise = page.optimum_row(alpha, hard, True, compute).r
kept = page.fixed_batch_exponent(alpha, hard)
print(f"alpha = {alpha:g}, beta = {hard:g}, rich:")
print(f"r = {small_noise:.3f} while (eta/B) K(t) is small")
print(f"r = {kept:.3f} if (eta/B) K(t) L(t) is kept for ever")

# %% [markdown]
# ## Claims
#
# An entry counts as confirmed within 0.0036, a tenth of the smallest difference between the entries quoted. What is
# tested is the step from the loss law to the table. The loss law itself is tested where the dynamics is solved.

# %% tags=["hide-input", "nbval-check-output"] mystnb={"markdown_format": "myst"}
claims = page.table_claims([row for row in rows if row.alpha == alpha], cases, gap, plan)
ledger.show(claims)

# %% [markdown]
# ## What was chosen
#
# The table is stated in full by the paper. The capacity 2 of the tasks quoted is ours (Figure 4 does not state its
# own), the sources are those of Figure 4. $B = \eta = 1$ and prefactors of one move crossovers but not exponents.
# Tasks closer than 0.02 to a boundary in $\beta$ are left out of the check over the plane, because there two terms
# tie; $r$ and $a$ are continuous across the boundaries.
