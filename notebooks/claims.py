# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
#   neural_scaling:
#     reads:
#     - data/claims/ledger.json
# ---

# %% [markdown]
# (claims-page)=
# # Does the paper hold?

# %% tags=["remove-input", "parameters"]
scale: "Scale" = "small"  # the only one: nothing here takes long

# %% tags=["remove-input"]
from IPython.display import HTML, display

from companion import claims as ledger
from companion import notebook
from companion.claims.places import index
from companion.pages import claims as page
from companion.tables import Table
from neural_scaling.base.paths import data_root

entries = ledger.load_ledger(data_root() / "claims" / "ledger.json")
display(HTML(ledger.verdict_bar(entries, page="")))

# %% [markdown]
# ## Yes, in its main result
#
# In the solvable model the loss of a hard task falls with the exponent $2\beta/(1+\beta)$ once features are learned, in place
# of $\beta$. An easy task gains a constant and no exponent. The compute-optimal exponents of Table 1 follow from the loss law.
# The mean-field equations reproduce simulated losses at finite width, on fresh and on reused samples; they fail at batches of a few
# samples, because they drop a fourth moment.
#
# ## Not everywhere as printed
#
# Three terms of the loss law change in part of the plane of tasks: the bottleneck of width on easy tasks, the finite-width
# transient of hard ones, and SGD noise on hard and easy ones. With the corrected terms SGD noise does affect rich hard tasks in
# the long run. And the gain holds in gradient flow: at a fixed learning rate it ends at the edge of stability.
#
# ## Networks agree in direction
#
# With feature learning networks learn hard tasks faster, on the circle, on images and on text. On the circle their loss falls
# as that of a lazy network whose clock runs with the growing kernel; on the hardest tasks they reach the edge of stability
# before the predicted exponents. Images and text need longer or larger runs than those here.

# %% tags=["remove-input"]
display(HTML(ledger.headlines(entries)))

# %% [markdown]
# ## All claims
#
# Each claim opens to show its numbers. A segment of the bar at the top selects a verdict, and the address of the page keeps the
# selection.

# %% tags=["remove-input"]
display(HTML(page.filter_form(entries) + page.claim_list(entries) + page.downloads()))

# %% tags=["remove-input"]
Table(ledger.summary(entries), "What the verdicts mean")

# %% [markdown]
# ## How verdicts are made
#
# Every page judges the claims of its figure or table and records them in one ledger, `data/claims/ledger.json`, with its schema
# beside it. A claim is one statement of the paper, or a finding of ours where it says so, judged once, at the largest scale
# that was run. The same code at small scale runs whenever the book is built; its numbers stand with the claim.
#
# ## The rule
#
# One rule derives verdict and reason from the numbers: it compares a measurement and its interval with the prediction and a
# tolerance. For an exponent the tolerance is 10 % of the prediction where it was measured on simulations or networks, 5 % on
# curves computed without noise, 0.5 % on algebra, and never less than 0.02 (algebra: 0.002). A page may be stricter, not looser.
# Other tolerances stand with their claims and give their reason.
#
# The interval of an exponent is that of the mean slope of a curve in the window named, in logarithms. Where a correction decays
# slowly, it need not contain the power to which the curve tends. Locations follow the numbering of arXiv 2409.17858v1.

# %% [markdown]
# ## By place in the paper
#
# Every section, figure, table and footnote with the claims that cite it, or the reason why it has none. {ref}`equations-page` lists
# the equations.

# %% tags=["remove-input"]
parts = index(entries)
Table(parts[~parts.part.str.startswith("eq.")], "Parts of the paper")

# %% tags=["remove-input", "provenance"]
print(notebook.provenance(scale))
