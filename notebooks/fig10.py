# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# (fig-10-page)=
# # Figure 10: levels of approximation
#
# **The paper says.** Let the lazy dynamics drive the growth of the kernel, the faster dynamics that results drive it again, and
# so on. The exponents are $\chi_0 = \beta$ and $\chi_{n+1} = \max(\beta, \beta(2 - \chi_n))$ (paper eq. 62), and converge to that of
# the self-consistent solution (paper eq. 68).
#
# **Here.** Every level has its exponent. The limit is $2\beta/(1+\beta)$; the printed caption has $2/(1+\beta)$, a slip. Odd levels
# overestimate, even ones underestimate, and each level shrinks the distance to the limit by the factor $\beta$: convergence is
# slow near $\beta = 1$.
#
# <!-- here: fig-10.limit -->

# %% tags=["hide-input", "parameters"]
scale: "Scale" = "small"  # the only one: nothing here takes long
alpha: "Capacity" = 1.5  # capacity, sets constants only (ours)
gamma: "Positive" = 1.0  # richness (ours)
sources: "Sources" = [0.2, 0.4, 0.8, 1.1]  # sources at which the exponents are measured (ours), none of them 1
quoted: "Source" = 0.4  # source quoted in the claims
levels: "Count" = 6  # highest finite level
window: "Window" = [1.0e80, 1.0e120]  # window of the fits, eta*steps (ours)

# %% tags=["hide-input"]
from IPython.display import display

from companion import claims as ledger
from companion import notebook
from companion.pages import fig10 as page
from companion.tables import Table

plan = notebook.plan(page.Plan, globals())

# %% tags=["hide-input", "provenance"]
print(notebook.provenance(plan))

# %% [markdown]
# ## The levels
#
# Level $n$ integrates the kernel that grows with the residual of level $n - 1$,
#
# $$
# \begin{aligned}
# \frac{da_n}{dt} &= 1 + \gamma \int_0^t S(a_{n-1}(s))\, ds, \\
# a_0 &= t, \qquad L_n = S(2 a_n),
# \end{aligned}
# $$ (eq-levels)
#
# with $S$ from {eq}`eq-self-consistent`; the limit puts $a_n$ in place of $a_{n-1}$. The exponents are fitted at very late times.

# %% tags=["hide-input"]
found = page.exponents(plan)

# %% tags=["hide-input", "nbval-check-output"]
table = page.by_level(found)
heads = {f"chi_{beta:g}": f"χₙ, β = {beta:g}" for beta in sources}
heads |= {f"found_{beta:g}": f"fitted, β = {beta:g}" for beta in sources}
Table(table, heads=heads, formats={"level": "g"} | dict.fromkeys(table.columns[1:], ".4f"))

# %% mystnb={"figure": {"caption": "**Paper Fig. 10.** Exponent of the loss at levels 0 to 6 of the approximation and in the limit (dotted), against the source. Odd levels are dashed. Circles: fitted to integrated curves of levels 0, 1, 2 and of the limit.", "name": "fig-10"}, "image": {"alt": "Curves of the exponent against the source. Level 0 is a straight line, level 1 an arch above all others; higher levels alternate around the limit curve and close in on it, fastest at small sources. All join at source 1. Measured circles lie on their curves."}} tags=["remove-input"]
display(page.draw(plan, found))

# %% [markdown]
# ## Claims
#
# An exponent counts as confirmed within 0.002, less than the gap between the two highest levels at $\beta = 0.4$.

# %% mystnb={"markdown_format": "myst"} tags=["hide-input", "nbval-check-output"]
ledger.show(page.level_claims(plan, found))

# %% [markdown]
# ## What was chosen
#
# The paper states the levels and the range of sources. The circles are ours. As in the paper's argument only the overall
# growth of the kernel is kept.
