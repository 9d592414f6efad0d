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
# *A reproducible companion of "How Feature Learning Can Improve Neural Scaling Laws"* {cite:p}`bordelon2025feature`.
#
# **Feature learning raises the exponent with which the loss of a hard task falls in time from $\beta$ to
# $2\beta/(1+\beta)$, nearly twice as large for the hardest tasks, and leaves that of easy tasks unchanged.** Hard means a
# source exponent $\beta < 1$, easy $\beta > 1$. The gain belongs to gradient flow, that is, to small steps.

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

hard, easy = page.measured_curves(plan, beta_hard), page.measured_curves(plan, beta_easy)

# %% mystnb={"figure": {"caption": "The main result. Loss against time (learning rate times steps) at infinite width and batch, lazy (black) and with feature learning (orange), for a hard and an easy task. Dashed: the predicted powers. On the hard task feature learning changes the slope, on the easy one only the constant.", "name": "fig-main"}, "image": {"alt": "Two log-log plots of loss against time. Hard task: the lazy curve falls with slope minus 0.4, the rich one visibly faster with slope minus 0.57. Easy task: lazy and rich curves fall side by side with slope minus 1.2, the rich one lower."}} tags=["remove-input"]
display(page.draw([hard, easy]))

# %% tags=["remove-input", "nbval-check-output"]
heads = {"predicted": "χ, theory", "exponent": "χ, measured", "optimum": "r, theory"}
formats = {"predicted": ".3f", "optimum": ".2f"}
Table(page.exponents(plan, [*hard, *easy]), heads=heads, formats=formats)

# %% [markdown]
# $\chi$ is the exponent of the loss in time, $L \sim t^{-\chi}$, with $\chi = \beta$ when lazy and $\chi = \beta \max(1, 2/(1+\beta))$
# when rich; time is learning rate times steps. $r$ is the compute-optimal exponent, $L_\star \sim C^{-r}$ at compute $C = N t$;
# its rich value for a hard task holds for gradient flow, its value for a super-easy task needs a finite batch.
#
# The curves solve the model exactly in unit steps for infinitely many modes, infinite width and infinite batch, with the learning rate
# stated below. Each exponent is fitted in a window that theory fixes beforehand, from ten learned modes to the end of the
# curve. The interval is that of the mean slope in that window: it covers the bend of the curve there, not what is left to $t \to \infty$: the rich exponent
# of the hard task still rises towards its limit, and that of the easy task still falls, because there the kernel settles only
# like $t^{1-\beta}$.

# %% tags=["hide-input", "nbval-check-output"]
sharpness = max(curve.sharpness for curve in [*hard, *easy])
caption = "The curves above; steps turn unstable where η × sharpness reaches 2"
table = pd.DataFrame({"eta": [eta], "steps": [steps], "sharpness": [sharpness]})
Table(table, caption, {"sharpness": "largest η × sharpness"}, {"sharpness": ".2f"})

# %% [markdown]
# ## Explore the model
#
# Move the sliders by mouse, finger or arrow keys. A small source is a hard task, a large capacity a rapidly falling
# spectrum. Wherever feature learning makes the kernel grow, the learning rate is smaller and the steps are more, so that
# every curve stays near gradient flow.

# %% tags=["hide-input"]
grid = explorer.compute_explorer(alphas, betas, gammas, explorer_time, explorer_eta)

# %% tags=["remove-input"]
display(HTML(explorer.explorer_html(grid, start=(alpha, beta_hard, gamma))))

# %% tags=["hide-input", "nbval-check-output"]
count = len(alphas) * len(betas) * (1 + len(gammas))
table = pd.DataFrame({"curves": [count], "sharpness": [grid.largest_sharpness]})
Table(table, "The curves of the explorer", {"sharpness": "largest η × sharpness"}, {"sharpness": ".2f"})

# %% [markdown]
# ## The pages
#
# - {ref}`model`: the three ingredients, spectrum, task and dynamics, and the notation.
# - {ref}`fig-1-page`: the exponents and the phases.
# - {ref}`fig-2-page`: these learning curves in detail, at finite width too, and what ends the gain at a fixed learning rate.
# - {ref}`tab-1-page`: compute-optimal exponents.
# - {ref}`fig-9-page`: the three models side by side.
# - {ref}`fig-10-page`: how the exponent emerges level by level.
# - {ref}`losslaw-page`: what width, batch and data add to the loss, each term on a page of its own.
# - {ref}`fig-5-page`, {ref}`fig-6-page` and {ref}`fig-8-page`: networks on the circle, on images and on text.
# - {ref}`errata-page`: corrections and remarks.
# - {ref}`claims-page` The answer in thirty lines, and every claim with prediction, measurement, interval and verdict.
#
# ## Where this book differs from the paper
#
# Rederiving the theory gave other terms than the printed ones in a few places: the model bottleneck is $N^{-\alpha \min(1,
# \beta)}$ in place of $N^{-\alpha \min(2, \beta)}$, the finite-width transient of hard tasks is $N^{-1}
# t^{-(\beta - 1/\alpha) m}$ with $m = 2/(1+\beta)$ when rich and 1 when lazy, and for hard tasks the noise of stochastic
# gradients multiplies the loss by a factor that grows with the kernel. Each is tested against the solver and simulation, on
# {ref}`bottleneck-page`, {ref}`transient-page` and {ref}`sgdnoise-page`; {ref}`losslaw-page` puts them together and {ref}`errata-page` lists all corrections.
# The exponents on this page and {ref}`tab-1-page` do not depend on them.
#
# ## Run it yourself
#
# On a bare Linux or macOS machine with Python 3.11 to 3.13, in a clone of the repository,
#
# ```bash
# python3 -m venv .venv && .venv/bin/pip install nox && .venv/bin/nox -s book
# ```
#
# makes an environment, executes every notebook at small scale and builds this book; `-s tests` in place of `-s book`
# runs all checks. To change a parameter of a page: `.venv/bin/nox -s execute -- fig02 -p beta_hard 0.6`. {ref}`reproduce`
# has times, memory and hardware.

# %% tags=["hide-input", "provenance"]
print(notebook.provenance(plan))
