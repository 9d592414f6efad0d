# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# (fig-7-page)=
# # Figure 7: kernel spectra and easy tasks on the circle
#
# **The paper says.** (a) The kernel of a network with activation $[h]_+^{q_\phi}$ at initialization has eigenvalues
# $\lambda_k \sim k^{-2q_\phi}$ on the circle, so its capacity is $\alpha = 2 q_\phi$ (paper eq. 14). (b) On easy tasks, $\beta \ge 1$,
# rich networks follow $t^{-\beta}$: feature learning brings no better exponent.
#
# **Here.** (a) holds, with different constants for even and odd $k$. (b) Rich networks fall with the exponent of infinitely wide
# lazy ones; linearised networks of the same width do not, since their kernels learn part of an easy target late. At finite
# width, then, feature learning does change the exponent.
#
# <!-- here: fig07.a.q-1, fig07.b.easy -->

# %% tags=["hide-input", "parameters"]
scale: "Scale" = "small"  # small, or full for the sizes of the paper
depth: "Count" = 4  # layers of weights L
width: "Count" = 64  # neurons N of a hidden layer
batch: "Count" = 64  # fresh samples B of a step (ours)
steps: "Count" = 500  # last step T
seeds: "Seeds" = 2  # networks of (b) that train together
seeds_all: "Seeds" = 2  # networks per curve of (b) (ours)
eta: "Positive" = 0.1  # learning rate eta_0 (ours)
richness: "Positive" = 0.5  # gamma_0 of the rich curves of (b) (ours)
angles: "Count" = 8192  # equidistant angles that samples are drawn from (ours)
betas: "Sources" = [1.0, 1.2, 1.5, 1.8]  # sources of (b)
powers_kernel: "Rising" = [0.75, 1.0, 1.25, 1.5, 1.75]  # q_phi of (a)
window: "WholeWindow" = [100, 1000]  # first and last k of the fits of (a) (ours)
angles_infinite: "Count" = 65536  # angles of the Fourier transform at infinite width (ours)
angles_kernel: "Count" = 512  # angles at which kernels of random networks are taken (ours)
seeds_kernel: "Seeds" = 4  # random networks of width N in (a) (ours)
powers_scatter: "Rising" = [0.6, 0.72, 1.0, 1.5]  # q_phi of the study of finite width (ours)
widths_scatter: "RisingCounts" = [64, 256, 1024, 4096]  # N of that study
seeds_scatter: "Seeds" = 256  # networks per width of that study

# %% tags=["hide-input"]
from IPython.display import display

from companion import circle_compare as compare
from companion import circle_curves as circle
from companion import claims as ledger
from companion import notebook
from companion.pages import fig07 as page
from companion.tables import Table, holding
from neural_scaling import runs

plan = notebook.plan(page.Plan, globals())
results = plan.results()

# %% tags=["hide-input", "provenance"]
print(notebook.provenance(plan, seeds=range(seeds_all)))
print(runs.describe(list(results.values())))

# %% [markdown]
# ## Spectra
#
# With normalised activations, the average $\langle \phi(u)\phi(v) \rangle$ over correlated normals is a hypergeometric function of the
# correlation for any power. NNGP and tangent kernel of depth $L$ follow by $L-1$ substitutions, their eigenvalues by a Fourier
# transform. The slopes of the activation give the tangent kernel a term $|\theta|^{2q_\phi - 1}$ at equal inputs, hence
# $k^{-2q_\phi}$. The first layer has the same singularity, weaker, at opposite inputs: even and odd $k$ have different constants.
# Corrections are of relative order $k^{1 - 2 q_\phi}$.

# %% tags=["hide-input"]
spectra = page.spectra(plan)
capacities = page.capacities(plan, spectra)
scatter = page.scatter(plan)
exponents = page.scatter_exponents(plan, scatter)
sources = page.sources(spectra, plan)

# %% mystnb={"figure": {"caption": "**Paper Fig. 7(a)**, and finite width. Above: eigenvalues of the tangent kernel at infinite width (lines) and mean over random networks (dots), with the predicted power dashed. Below: scatter of K(x, x) over two-layer networks, relative interquartile range against width, with the predicted powers dashed.", "name": "fig-7a"}, "image": {"alt": "Upper panel: eigenvalues against frequency on log-log axes fall along straight lines, steeper for larger power of the activation. Lower panel: scatter against width falls with slope minus one half for powers from three quarters on and more slowly for 0.6 and 0.72."}} tags=["remove-input"]
display(page.spectrum_figure(plan, spectra, scatter, exponents))

# %% tags=["hide-input", "nbval-check-output"]
heads = {"power": "q_φ", "even": "even k", "odd": "odd k", "ratio": "constant of even over odd k at the last k"}
formats = {"power": "g", "predicted": "g", "even": ".3f", "odd": ".3f", "ratio": ".3f"}
shown = capacities.drop(columns=["capacity", "interval", "window"])
Table(shown, f"Exponents from k = {window[0]} to {window[1]}", heads, formats)

# %% [markdown]
# ## Sources
#
# The source of a target follows from kernel and target alone: the sum of $j^{-2q}$ over modes from $k$ on falls as a power of the
# eigenvalue $\lambda_k$.

# %% tags=["hide-input", "nbval-check-output"]
formats = {"power": "g", "q": "g", "predicted": "g", "exponent": ".3f", "interval": ".3f"}
Table(sources, "Source, by paper eq. 14 and by the spectrum", {"power": "q_φ", "q": "q"}, formats)

# %% [markdown]
# ## Scatter at finite width
#
# At finite width $K(x, x)$ is a mean over neurons of squared slopes, $\propto h^{2 q_\phi - 2}$. For $q_\phi \le 3/4$ these have a tail
# of index $1/(2 - 2 q_\phi) \le 2$ and no variance, so the mean over $N$ neurons scatters as $N^{1 - 2 q_\phi}$ and not as
# $N^{-1/2}$ (for two layers of weights). Quartiles exist for any tail.

# %% tags=["hide-input"]
formats = {"power": "g", "predicted": ".2f", "exponent": ".2f", "interval": ".2f", "window": "g"}
Table(exponents, heads={"power": "q_φ", "window": "N fitted"}, formats=formats)

# %% [markdown]
# ## Easy tasks

# %% tags=["hide-input"]
rich, lazy = (circle.curve_rows(plan.tasks(gamma0), results) for gamma0 in (richness, 0.0))

# %% mystnb={"figure": {"caption": "**Paper Fig. 7(b).** Test loss of ReLU networks on easy tasks. Solid: rich networks, mean over seeds and band from the smallest to the largest. Dotted: linearised networks. Dashed: the predicted power, in the window of the fit where there is one and over the last decade otherwise.", "name": "fig-7b"}, "image": {"alt": "Log-log plot of test loss against steps for four sources. Rich curves fall along the dashed powers; the dotted linearised curves bend off above them."}} tags=["remove-input"]
display(circle.loss_figure([("(b) easy tasks, ReLU", rich, lazy)]))

# %% [markdown]
# Windows and intervals are those of {ref}`Figure 5 <fig-5-page>`; "lazy" is the exponent of the infinitely wide linearised network in
# the same window.

# %% tags=["hide-input"]
circle.exponents([*lazy, *rich])

# %% [markdown]
# In the windows of the rich networks, "lazy" below is the exponent of the linearised networks of the same width, "N = ∞" that of
# infinite width. "Own" is the loss of the linearised networks over that of gradient descent with the kernels of their initial
# weights, over the last decade of steps, as in Figure 5. The last table has the share of the squared kernel of random networks
# that lies between different frequencies: at infinite width Fourier modes are eigenfunctions, since the kernel depends on the
# difference of two angles alone.

# %% tags=["hide-input"]
found = page.measure(plan, lazy, rich, results)
if found is not None:
    heads = {"rich": "rich", "lazy": "lazy", "infinite": "lazy, N = ∞", "level": "rich/β"}
    formats = dict.fromkeys(("predicted", "rich", "lazy", "infinite", "level"), ".2f")
    display(
        Table(
            compare.table(found.compared).drop(columns="share"),
            "Exponents in the windows of the rich networks",
            heads,
            formats,
        )
    )
    heads = {"own": "own", "infinite": "N = ∞"}
    formats = {"own": ".3f", "interval": ".3f", "infinite": ".2f"}
    display(
        Table(
            found.widths.drop(columns=["power", "seeds"]), "Linearised networks: loss over two theories", heads, formats
        )
    )
    display(Table(found.mixing[["width", "share"]], "What lies between Fourier modes"))

# %% tags=["hide-input", "nbval-check-output"]
holding(circle.sound(rich, lazy))

# %% [markdown]
# ## Claims
#
# A capacity, and a source, holds within 5 % (theory), the exponent of a network within a tenth, or 0.02 where that is more. Rich and lazy exponents are the
# same if their ratio is 1 within a tenth: to linearised networks of the same width for the task that is farthest from it, to those of infinite width in the mean over tasks
# ($\beta > 1$). A scatter that falls more slowly than $N^{-1/2}$ has its whole interval below 1/2. At small scale only the theory of infinite width is judged.

# %% mystnb={"markdown_format": "myst"} tags=["hide-input", "nbval-check-output"]
claims = page.claims_of(plan, capacities, sources, exponents, found)
ledger.show(claims, lambda claim: claim.id.startswith("fig07.a."))

# %% [markdown]
# Exponents of rich networks against $t^{-\beta}$ itself are judged on the page of {ref}`Figure 5 <fig-5-page>`, which shares the runs at $\beta = 1$ and 1.5:

# %% mystnb={"markdown_format": "myst"} tags=["hide-input", "nbval-check-output"]
ledger.cite("fig05.a.rich.beta-1", "fig05.a.rich.beta-1.25", "fig05.a.rich.beta-1.5")

# %% [markdown]
# ## What was chosen
#
# The paper states the activations, the sources, depth and width. Ours are batch, learning rate and richness, as for Figure 5, the range of $k$ that is
# fitted, the study of finite width, and the number of seeds. At small scale the networks of (b) are narrower, batches smaller and runs shorter.
