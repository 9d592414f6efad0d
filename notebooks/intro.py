# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# (intro)=
# # Feature learning and neural scaling laws
#
# **Feature learning raises the exponent with which the loss of a hard task falls in time from $\beta$ to $2\beta/(1+\beta)$,
# and leaves that of an easy task unchanged.** A task is hard if its source $\beta$ is below 1. The gain holds in
# gradient flow, that is, for small steps. This book, not by the paper's authors, recomputes and checks "How Feature Learning
# Can Improve Neural Scaling Laws" {cite:p}`bordelon2025feature`.
#
# **I want to** {ref}`check a number <claims-page>` · see {ref}`what is printed wrong <errata-page>` · find {ref}`an equation <equations-page>`
# or {ref}`a symbol <symbols-page>` · learn {ref}`the theory <model>` · {ref}`rerun a page <reproduce>` · {ref}`download data <front-pages>` ·
# predict {ref}`my own problem <own-problem-page>` · fit {ref}`my loss curves <own-curves-page>` · try {ref}`my spectrum <own-spectrum>` · use {ref}`the library <api>`

# %% tags=["hide-input", "parameters", "fold-values"]
scale: "Scale" = "small"  # small or full; full refines the grid of the explorer
alpha: "Capacity" = 1.5  # capacity of the figure and the table
beta_hard: "HardSource" = 0.4  # source of the hard task
beta_easy: "EasySource" = 1.2  # source of the easy task
beta_super_easy: "EasySource" = 1.6  # source of the super-easy task, table only
gamma: "Positive" = 2.0  # richness of the rich curves
eta: "Positive" = 0.02  # learning rate of the figure
steps: "Count" = 10000  # unit steps of the figure
alphas: "Capacities" = [1.25, 1.5, 2.0, 3.0]  # explorer: positions of the slider for capacity
betas: "Sources" = [0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 1.0, 1.2, 1.6, 2.0]  # explorer: source
gammas: "Rising" = [0.125, 0.5, 2.0]  # explorer: richness of the rich curve
explorer_time: "Positive" = 100.0  # explorer: end of the curves, eta * steps
explorer_eta: "Positive" = 0.1  # explorer: largest learning rate, divided where the kernel grows large

# %% tags=["hide-input"]
import pandas as pd
from IPython.display import HTML, display

from companion import explorer, notebook
from companion.pages import intro as page
from companion.tables import Table

plan = notebook.plan(page.Plan, globals())
grid = explorer.compute_explorer(alphas, betas, gammas, explorer_time, explorer_eta)

# %% tags=["remove-input"]
display(HTML(explorer.explorer_html(grid, start=(alpha, beta_hard, gamma))))

# %% [markdown]
# Move the sliders with mouse, finger or arrow keys. A small $\beta$ means a hard task, a large $\alpha$ a spectrum that falls
# fast. {ref}`explore-page` has more, your own spectrum included.
#
# ## Does the paper hold?
#
# <!-- answer -->
#
# {ref}`All claims, and the answer in words <claims-page>`.
#
# (front-pages)=
# ## From the paper to the pages
#
# <!-- cards -->
#
# ## The main result

# %% tags=["hide-input"]
hard, easy = page.measured_curves(plan, beta_hard), page.measured_curves(plan, beta_easy)

# %% mystnb={"figure": {"caption": "The main result. Loss against time (learning rate times steps) at infinite width and batch, lazy and with feature learning (orange), for a hard and an easy task. Dashed: the predicted powers. On the hard task feature learning changes the slope, on the easy one only the constant.", "name": "fig-main"}, "image": {"alt": "Two log-log plots of loss against time. Hard task: the lazy curve falls with slope minus 0.4, the rich one visibly faster with slope minus 0.57. Easy task: lazy and rich curves fall side by side with slope minus 1.2, the rich one lower."}} tags=["remove-input"]
display(page.draw([hard, easy]))

# %% tags=["remove-input", "nbval-check-output"]
heads = {"predicted": "χ, theory", "exponent": "χ, measured", "optimum": "r, theory"}
formats = {"predicted": ".3f", "optimum": ".2f"}
Table(page.exponents(plan, [*hard, *easy]), heads=heads, formats=formats)

# %% [markdown]
# $\chi$ is the exponent of the loss in time, $L \sim t^{-\chi}$, with $\chi = \beta$ when lazy and
# $\chi = \beta \max(1, 2/(1+\beta))$ when rich; time is learning rate times steps. $r$ is the compute-optimal exponent,
# $L_\star \sim C^{-r}$ at compute $C = N t$; its value for a rich hard task holds in gradient flow, and that for a super-easy task
# needs a finite batch.
#
# The curves solve the model exactly in unit steps for infinitely many modes, infinite width and infinite batch. Each exponent
# is fitted in a window that theory fixes beforehand, from ten learned modes to the end of the curve. The interval is that of
# the mean slope in this window, where the rich exponents still approach their limits: that of the hard task rises, that of the
# easy task falls.

# %% tags=["hide-input", "nbval-check-output"]
sharpness = max(curve.sharpness for curve in [*hard, *easy])
caption = "The curves above; steps turn unstable where η × sharpness reaches 2"
table = pd.DataFrame({"eta": [eta], "steps": [steps], "sharpness": [sharpness]})
Table(table, caption, {"sharpness": "largest η × sharpness"}, {"sharpness": ".2f"})

# %% tags=["hide-input", "nbval-check-output"]
count = len(alphas) * len(betas) * (1 + len(gammas))
table = pd.DataFrame({"curves": [count], "sharpness": [grid.largest_sharpness]})
Table(
    table,
    "The curves of the explorer, near gradient flow",
    {"sharpness": "largest η × sharpness"},
    {"sharpness": ".2f"},
)

# %% [markdown]
# ## Cite and reuse
#
# Cite the paper {cite:p}`bordelon2025feature` for its results, and this book by `CITATION.cff` for its measurements. Data stand under every
# figure (CSV, NPZ) and every table (CSV); {ref}`all claims <claims-page>` are one file. Code is
# under the MIT licence, text and figures under CC BY 4.0. {ref}`reproduce` has the one command that rebuilds all pages.

# %% tags=["hide-input", "provenance"]
print(notebook.provenance(plan))
