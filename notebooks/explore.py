# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# (explore-page)=
# # Explore
#
# Four explorers of the theory, computed in your browser. Change numbers by typing, by slider or by arrow keys; the address of the page keeps what you set, so that it can be bookmarked
# and shared. The tests hold every number against the Python library.

# %% tags=["hide-input", "parameters"]
scale: "Scale" = "small"  # the only one: nothing here takes long
alpha: "Capacity" = 1.5  # capacity at the start (ours)
beta: "HardSource" = 0.4  # source at the start
gamma: "Positive" = 1.0  # richness at the start (ours)
eta: "Positive" = 0.1  # learning rate at the start (ours)
time: "Positive" = 1.0e4  # t of the loss law at the start, and last time of the flow, eta*steps
width: "Positive" = 256.0  # N at the start (ours)
batch: "Positive" = 64.0  # B at the start (ours)
compute: "Positive" = 1.0e8  # C = N t at the start (ours)
largest_capacity: "Capacity" = 4.0  # upper end of the plane (ours)
largest_source: "Source" = 2.5  # upper end of the plane (ours)
kink: "Count" = 100  # mode of the kink at the start (ours)
alpha_beyond: "Capacity" = 3.0  # capacity beyond it (ours)
beta_beyond: "Source" = 1.2  # source beyond it (ours)
table_modes: "Count" = 40  # modes of the table at the start (ours)

# %% tags=["hide-input"]
from IPython.display import HTML, display

from companion import notebook
from companion.pages import explore as page

plan = notebook.plan(page.Plan, globals())

# %% [markdown]
# ## The plane of tasks
#
# Drag the point over source and capacity: the table shows the four terms of the loss law as printed (paper eqs. 8 and 9) and [as corrected here](losslaw-page), and which of them is largest. All prefactors are one, so that only powers and
# orders of magnitude mean something.

# %% tags=["remove-input"]
display(HTML(page.shared(plan) + page.explorer("plane")))

# %% [markdown]
# ## Compute-optimal width and time
#
# At fixed compute $C = N t$ the corrected loss law has one minimum, found here at any $C$ and batch beside the limiting powers of [Table 1](tab-1-page). All prefactors are one, and the rich values of a hard task assume gradient
# flow, $\eta K(t) \ll 1$.

# %% tags=["remove-input"]
display(HTML(page.explorer("allocation")))

# %% [markdown]
# ## Where the rich gain ends
#
# The kernel of a hard task grows until $\eta$ times its largest eigenvalue, the sharpness, reaches 2, the [edge of stability](fig-2-edge-section). The curve is the sharpness of gradient flow at infinite width and batch, which steps
# follow until then, up to [corrections of order $\eta$](stepsize-page); the estimate has prefactor one.

# %% tags=["remove-input"]
display(HTML(page.explorer("edge")))

# %% [markdown]
# (own-spectrum)=
# ## Your own spectrum
#
# Loss of the lazy limit and of rich gradient flow for a power law, with or without a kink, or for eigenvalues $\lambda_k$ and target coefficients $w^*_k$ that you paste. Width and batch are infinite; a power law has infinitely
# many modes, a table has those that it lists.

# %% tags=["remove-input"]
display(HTML(page.explorer("spectrum")))

# %% [markdown]
# In gradient flow the error of mode $k$ is $v^0_k = w^*_k (1 - \sqrt{s}\, q_k)$, and with the clock $d\tau = s\, dt$
#
# $$
# \begin{aligned}
# \frac{dq_k}{d\tau} &= \lambda_k \big( s^{-1/2} - q_k \big), \\
# s &= 1 + \gamma \sum_k (w^*_k)^2 q_k^2 .
# \end{aligned}
# $$ (eq-explore-flow)
#
# This is the rank-one form of paper eqs. 51 and 52, in which the scale $s$ of the kernel is the only coupling of the modes. The page takes $s^{-1/2}$ as a straight line over each of 32 steps a decade, where every mode is exact, halves the
# step, and extrapolates; what halving changed is the error shown.

# %% tags=["hide-input", "provenance"]
print(notebook.provenance(plan))
