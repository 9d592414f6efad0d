# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# (stepsize-page)=
# # Steps and continuous time
#
# **The paper says.** Its asymptotics are those of gradient flow, {eq}`eq-loss-law` in the time $\tau = \eta t$ (paper eqs. 8 and 9); its
# theory and its experiments take steps. It does not discuss the difference.
#
# **Here.** Lazy, without noise, the difference fades at any stable learning rate. Rich, the first steps leave a trace of order
# $\eta$ in the kernel: an easy task keeps it, a hard one forgets it slowly. With noise, steps make slightly more of it than
# continuous time does.
#
# Without noise this leaves exponents alone until the grown kernel reaches the *edge of stability*, $\eta$ times its largest
# eigenvalue equal to 2. There the two separate for good.

# %% tags=["hide-input", "parameters"]
scale: "Scale" = "small"  # the only one: nothing here takes long
alpha: "Capacity" = 1.5  # capacity (ours)
beta_hard: "HardSource" = 0.5  # source of the hard task (ours)
beta_easy: "EasySource" = 1.5  # source of the easy task (ours)
gamma: "Positive" = 1.0  # richness of the rich panels (ours)
etas: "Rising" = [0.05, 0.1, 0.2, 0.4, 0.8]  # learning rates (ours)
end: "Positive" = 400.0  # last time without noise, eta*steps
batch: "Count" = 16  # B with noise (ours)
noise_etas: "Rising" = [0.1, 0.2, 0.4]  # learning rates with noise (ours)
noise_end: "Positive" = 50.0  # last time with noise, eta*steps
at: "Positive" = 20.0  # time at which powers of eta are fitted, eta*steps
late: "Positive" = 40.0  # from here powers of time are fitted, eta*steps

# %% tags=["hide-input"]
from IPython.display import display

from companion import notebook
from companion.pages import stepsize as page
from companion.tables import Table

plan = notebook.plan(page.Plan, globals())
gaps, noisy = plan.gaps(), plan.noisy_gaps()

# %% tags=["hide-input", "provenance"]
print(notebook.provenance(plan))

# %% [markdown]
# ## Without noise
#
# Infinite width and batch. Steps are solved exactly; the continuous limit is gradient flow. A lazy mode decays by
# $(1 - \eta\lambda)^{2t}$ instead of $e^{-2\lambda\tau}$, that is by the factor $1 - \eta \lambda^2 \tau$ to first order, and
# $\lambda \simeq 1/\tau$ carries the loss. Averaging over a power law gives
#
# $$
# \frac{L_\eta}{L_0} - 1 \to -\frac{\eta}{\tau}\, \frac{\beta(\beta + 1)}{4} .
# $$ (eq-stepsize)

# %% mystnb={"figure": {"caption": "Relative difference of the loss in steps from that of gradient flow, at infinite width and batch. Dashed: the lazy law. Dotted: beyond the edge of stability.", "name": "fig-stepsize"}, "image": {"alt": "Four log-log panels of the difference against time, one line for each of five learning rates. Lazy, all lines fall as one over time along the dashed law. Rich and hard they fall more slowly, and for the two largest learning rates jump up at the edge of stability. Rich and easy they level off."}} tags=["remove-input"]
display(page.gap_figure(gaps))

# %% tags=["hide-input", "nbval-check-output"]
heads = {"in_eta": "power of η", "in_time": "power of time", "end": "in units of η at the end", "law": "lazy law"}
formats = {"in_eta": ".2f", "in_time": ".2f", "end": ".4f", "law": ".4f"}
caption = f"Size of the difference: power of η at ηt = {at:g}, power of time from {late:g} on"
Table(page.powers(plan, gaps), caption, heads, formats)

# %% tags=["hide-input", "nbval-check-output"]
heads = {"edge": "reached at ηt", "before": "largest difference before"}
Table(page.edges(gaps), "Edge of stability", heads, {"edge": ".3g", "before": ".1%"})

# %% [markdown]
# ## With noise
#
# Infinite width, the paper's theory at a finite batch on both kinds of grid. Lazy, a batch multiplies the loss by $1/(1 - s)$,
# with $s = \sum_k \frac{\eta \lambda_k / B}{2 - \eta \lambda_k}$ in steps and $\frac{\eta}{B} \sum_k \lambda_k / 2$ in continuous time. The difference tends to
# the ratio of the two factors less one, here with {eq}`eq-stepsize` added. Rich, the eigenvalue of the grown kernel takes the
# place of $\lambda_k$, so that the difference grows.

# %% mystnb={"figure": {"caption": "The same for the hard task at a finite batch and infinite width.", "name": "fig-stepsize-noise"}, "image": {"alt": "Two log-log panels of the difference against time for three learning rates. Lazy, the lines change sign once and level off. Rich, they rise."}} tags=["remove-input"]
display(page.gap_figure(noisy))

# %% tags=["hide-input", "nbval-check-output"]
formats = {"lazy": ".4f", "law": ".4f", "rich": ".3f"}
Table(page.noise_table(plan, noisy), f"Difference at ηt = {noise_end:g}, B = {batch}", {"law": "lazy law"}, formats)

# %% [markdown]
# ## What was chosen
#
# Everything on this page is ours. The learning rates start at a size common in the book and double up to one at which the lazy
# model is still stable. The times of the fits were chosen with the range of the page, before the fits were made.
