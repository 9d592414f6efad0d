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
#   neural_scaling:
#     reads: [data/benchmarks/mean_field.json, data/benchmarks/random_settings.json]
# ---

# %% [markdown]
# (speed-page)=
# # How fast the theory is solved
#
# **What the paper does.** It solves its equations for a few hundred steps.
#
# **What came out.** The same equations, causally and on a quadrature over modes, take about a second where the textbook way would take the better part of an hour: dense inverses for each mode, all times iterated together. On a
# logarithmic grid of times they reach $\eta t = 10^6$ at finite width and batch in seconds, with an estimate of the error.
#
# Everything here was measured once and kept, with the machine and the version; `nox -s bench` measures again.

# %% tags=["hide-input", "parameters"]
scale: "Scale" = "small"  # the only one: nothing here takes long

# %% tags=["hide-input"]
from IPython.display import display

from companion import notebook
from companion.pages import speed as page
from neural_scaling.base import paths

numbers = page.kept(paths.data_root() / "benchmarks" / "mean_field.json")
settings = page.kept(paths.data_root() / "benchmarks" / "random_settings.json")

# %% tags=["hide-input", "provenance"]
print(notebook.provenance(scale))
print("measured on {hardware}, commit {commit}".format(**numbers["provenance"]))

# %% [markdown]
# ## Against the textbook solution
#
# The textbook solution runs to the end at a small size, where the two are compared. At full size its time is extrapolated: the measured time of one mode and iteration, times the modes, times the iterations of the small size.

# %% tags=["hide-input"]
textbook, full = numbers["textbook"], numbers["full"]
print(f"largest relative difference at the small size      {textbook['agreement']:.1e}")
print(f"M = {full['modes']}, T = {full['steps']}, here                        {full['seconds']:.2f} s")
print(
    f"textbook, {textbook['iterations']} iterations of {1e3 * textbook['seconds_per_mode_and_iteration']:.0f} ms a mode      {full['textbook_seconds']:.0f} s"
)
print(f"ratio                                              {full['textbook_seconds'] / full['seconds']:.0f}")
print(
    f"memory at T = {numbers['memory']['steps']}                               {numbers['memory']['mebibytes']:.0f} MiB, {numbers['memory']['of_it_libraries']:.0f} of it the libraries"
)

# %% [markdown]
# ## How the cost grows

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig-speed", "caption": "Seconds of a solution against the number of steps, the number of modes that are all kept, the width, and the last time on a logarithmic grid, error estimate included. Dashed: the fitted power."}, "image": {"alt": "Four log-log panels of seconds. Against steps they rise steeply, against modes nearly linearly, against the width not at all, against the last time slowly."}}
growth = page.growth(numbers)
display(page.cost_figure(growth))

# %% tags=["hide-input"]
print("seconds grow with the power")
for label, (_, _, fit) in growth.items():
    low, high = fit.interval
    print(
        f"{label.replace('$', '').replace(chr(92) + 'eta', 'eta'):<20} {-fit.exponent:.2f} [{-high:.2f}, {-low:.2f}]   fitted from {fit.window[0]:g} to {fit.window[1]:g}"
    )

# %% [markdown]
# In unit steps a new row is multiplied with all responses so far: $O(K T^2)$ operations a row and $O(K T^3)$ in all, most of them in matrix products. The number of modes hardly matters where a quadrature stands for them,
# since its nodes $K$ grow with the logarithm of the time only; the panel shows a spectrum all of whose modes are kept. The width appears in coefficients only.
#
# ## Long times

# %% tags=["hide-input"]
print("to eta t = 1e6 at N = 64, infinitely many modes; estimate of the error included")
for row in numbers["long"]:
    print(
        f"gamma = {row['gamma']:g}, B = {row['batch']:<4}  {row['seconds']:6.2f} s   largest relative error {row['error']:.1e}"
    )
together = numbers["side_by_side"]
print(
    f"{together['cases']} long solutions: {together['one_by_one']:.1f} s one by one, {together['two_workers']:.1f} s on two cores"
)

# %% [markdown]
# ## Random settings
#
# Two hundred settings are drawn over the whole range that the theory is made for: $\alpha$ from 1.05 to 4, $\beta$ from 0.1 to 4, $\gamma$ up to 4, widths and numbers of samples from 4 to 4096, batches from 1 on, learning rates up to unstable ones, both
# kinds of grid. Each must give a result with an error, or an error that says what to change. Where it suggests a learning rate, that is tried.

# %% tags=["hide-input"]
for kind, count in settings["tally"].items():
    print(f"{count:4d}  {kind}")
rows = [row for row in settings["settings"] if row["error"] is not None and not row["unit_steps"]]
within = [sum(row["error"] <= limit for row in rows) for limit in (1e-3, 1e-2)]
print(
    f"on logarithmic grids: estimated error at most 0.1 % for {within[0]} and 1 % for {within[1]} of {len(rows)} results"
)
print("measured on {hardware}, commit {commit}".format(**settings["provenance"]))
