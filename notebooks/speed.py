# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
#   neural_scaling:
#     reads:
#     - data/benchmarks/mean_field.json
#     - data/benchmarks/random_settings.json
# ---

# %% [markdown]
# (speed-page)=
# # How fast the theory is solved
#
# **The paper says.** The mean field equations (paper eq. 26) are solved for a few hundred steps. The cost is not discussed.
#
# **Here.** Solved causally and on a quadrature over modes, the same equations take a small fraction of the textbook time: dense
# inverses for each mode, all times iterated together. On a logarithmic grid of times they reach $\eta t = 10^6$ at finite width
# and batch in seconds, with an estimate of the error.
#
# Everything here was measured once and kept, with the machine and the version; `nox -s bench` measures again.

# %% tags=["hide-input", "parameters"]
scale: "Scale" = "small"  # the only one: nothing here takes long

# %% tags=["hide-input"]
import pandas as pd
from IPython.display import Markdown, display

from companion import notebook
from companion.pages import speed as page
from companion.tables import Table
from neural_scaling.base import paths

numbers = page.kept(paths.data_root() / "benchmarks" / "mean_field.json")
settings = page.kept(paths.data_root() / "benchmarks" / "random_settings.json")

# %% tags=["hide-input", "provenance"]
print(notebook.provenance(scale))
print("measured on {hardware}, commit {commit}".format(**numbers["provenance"]))

# %% [markdown]
# ## Against the textbook solution
#
# The textbook solution runs to the end at a small size, where the two are compared. At full size its time is extrapolated: the
# measured time of one mode and iteration, times the modes, times the iterations of the small size.

# %% tags=["hide-input"]
Table(page.textbook_table(numbers), heads={"what": ""}, formats={"value": ".4g"})

# %% [markdown]
# ## How the cost grows

# %% mystnb={"figure": {"caption": "Seconds of a solution against the number of steps, the number of modes that are all kept, the width, and the last time on a logarithmic grid, error estimate included. Dashed: the fitted power.", "name": "fig-speed"}, "image": {"alt": "Four log-log panels of seconds. Against steps they rise steeply, against modes nearly linearly, against the width not at all, against the last time slowly."}} tags=["remove-input"]
growth = page.growth(numbers)
display(page.cost_figure(growth))

# %% tags=["hide-input"]
formats = {"power": ".2f", "interval": ".2f", "window": "g"}
Table(page.powers(growth), "Power with which the seconds grow", {"window": "fitted"}, formats)

# %% [markdown]
# In unit steps a new row is multiplied with all responses so far: $O(K T^2)$ operations a row and $O(K T^3)$ in all, most of
# them in matrix products. The number of modes hardly matters where a quadrature stands for them, since its nodes $K$ grow only
# with the logarithm of the time; the panel shows a spectrum all of whose modes are kept. The width appears in coefficients only.
#
# ## Long times

# %% tags=["hide-input"]
caption = "To ηt = 10⁶ at N = 64, infinitely many modes, with an estimate of the error"
long = pd.DataFrame(numbers["long"])[["gamma", "batch", "seconds", "error"]]
display(Table(long, caption, {"error": "largest relative error"}, {"batch": "", "seconds": ".2f", "error": ".1e"}))
together = numbers["side_by_side"]
one, two = together["one_by_one"], together["two_workers"]
display(Markdown(f"{together['cases']} long solutions take {one:.1f} s one by one and {two:.1f} s on two cores."))

# %% [markdown]
# ## Random settings
#
# Two hundred settings are drawn over the whole range that the theory is made for: $\alpha$ from 1.05 to 4, $\beta$ from 0.1 to 4,
# $\gamma$ up to 4, widths and numbers of samples from 4 to 4096, batches from 1 on, learning rates up to unstable ones, both kinds
# of grid. Each must give a result with an error, or an error that says what to change. Where it suggests a learning rate, that
# is tried.

# %% tags=["hide-input"]
display(Table(page.tally(settings)))
print("measured on {hardware}, commit {commit}".format(**settings["provenance"]))
