# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# (fig-6-page)=
# # Figure 6: convolutional networks on real images
#
# **What the paper claims.** Convolutional networks trained online on real images follow $t^{-\beta}$ when lazy and $t^{-2\beta/(1+\beta)}$ when
# rich, (a) on MNIST-1M with $\beta = 0.30$, (b) on CIFAR-5M with $\beta = 0.075$. There a network of large richness first follows the
# theory and later falls faster.
#
# **What came out.** The richer a network the more its tangent kernel grows and the faster its loss falls, on both tasks. The table gives each exponent
# with its interval, the prediction from the paper's $\beta$ and that from the source of the kernel on this page's images, measured as {ref}`there <source-page>`.
# At *reduced* scale lazy networks on MNIST fall more slowly than $t^{-0.30}$, although the source measured here is 0.30: at these widths the
# ten outputs are coupled through the kernel, which slows learning. On generated digits, which are easier, the same slowing leaves about the paper's exponent. On objects all exponents are about
# half of what the paper's $\beta$ gives; the source of cropped CIFAR-10 at this width is itself about half the paper's, and from that the rich exponent
# follows. On digits rich networks come to the edge of
# stability, where $\eta_0$ times the largest eigenvalue of the kernel is 2, within the first hundred steps or so, and stay about there; that
# eigenvalue belongs to the mean over images, which is learned at once, and the loss goes on falling. Whether the loss on objects steepens
# late is a claim of its own below.

# %% tags=["hide-input", "parameters"]
scale: "Scale" = "small"  # small, reduced for what two cores reach, or full for the paper's ranges on a GPU
digits: "Images" = ["mnist"]  # datasets of (a)
objects: "Images" = ["cifar10"]  # datasets of (b)
richness_digits: "FromLazy" = [0.0, 0.1, 1.0]  # gamma_0 of (a); 0 is the linearised network
richness_objects: "FromLazy" = [0.0, 1.0]  # gamma_0 of (b)
width_digits: "Count" = 16  # N of (a), filters of the first convolution (ours)
eta_digits: "Positive" = 0.15  # learning rate eta_0 of (a) (ours)
batch_digits: "Count" = 32  # samples B of a step of (a) (ours)
steps_digits: "Count" = 200  # last step T of (a)
width_objects: "Count" = 16  # N of (b) (ours)
eta_objects: "Positive" = 0.3  # eta_0 of (b) (ours)
batch_objects: "Count" = 32  # B of (b) (ours)
steps_objects: "Count" = 200  # T of (b)
seeds: "Seeds" = 2  # networks per curve
test: "Count" = 200  # test images
kernel_width: "Count" = 16  # N of the kernel that fixes the windows (ours)
kernel_images: "Count" = 200  # n, its images (ours)
kernel_test: "Count" = 200  # its test images

# %% tags=["hide-input"]
from IPython.display import display

from companion import claims as ledger
from companion import notebook
from companion.pages import fig06 as page
from companion.tables import Table, holding
from neural_scaling import runs

plan = notebook.plan(page.Plan, globals())
needed = notebook.needs_data(plan)
if needed and any(notebook.dataset(name) is None for name in plan.datasets()):
    plan = notebook.shipped_plan(page.Plan)
results = plan.results()
found = [page.curves(plan, dataset, results) for dataset in plan.datasets()]

# %% tags=["hide-input", "provenance"]
print(notebook.provenance(plan, seeds=range(plan.seeds)))
print(runs.describe(list(results.values())))

# %% [markdown]
# ## Losses
#
# Two 3x3 convolutions with $N$ and $2N$ filters, each followed by a rectifier and an average over 2x2 pixels, a dense layer of $8N$ neurons and ten
# outputs; centred, with weights, factors and steps as in the networks of {ref}`Figure 5 <fig-5-page>`. Targets are one-hot, and the loss is the
# squared error, mean over outputs: 0.1 for a network whose output is zero.

# %% mystnb={"figure": {"caption": "Figure 6 of the paper. Test loss against steps for several richness, mean over seeds with the band from the smallest to the largest. Grey: the lazy curve that the spectrum of the kernel at the start predicts, between its bounds. Dashed and dash-dotted: the lazy and the rich power of the paper's source.", "name": "fig-6"}, "image": {"alt": "Log-log plots of test loss against steps, one per dataset. The richer the network the faster its loss falls; the least rich ones run along the linearised one."}} tags=["remove-input"]
display(page.loss_figure(found))

# %% [markdown]
# ## The kernel
#
# The tangent kernel over 16 test images and all outputs is followed while a network trains.

# %% mystnb={"figure": {"caption": "Tangent kernel of the same networks: trace over its first value, and learning rate times largest eigenvalue. Dashed: the edge of stability.", "name": "fig-6-kernel"}, "image": {"alt": "Upper panels: the trace of the kernel grows with richness. Lower panels: learning rate times largest eigenvalue rises to the edge of stability for the richest networks."}} tags=["remove-input"]
display(page.kernel_figure(found))

# %% [markdown]
# ## Exponents
#
# No window looks at the loss. A window starts when ten modes of the kernel at the start are learned, $\lambda_{10} \eta_0 \int K(t)/K(0)\,dt = 1$, and for a
# network whose kernel doubles, when it has; it ends at the last step. A network counts as rich if its kernel has doubled, as lazy if it ends less than a
# quarter above its start, and as neither in between, where no power is predicted. The interval is that of the mean slope in the window, with the spread over seeds and the bend of the curve.
# Predictions: *paper* and *own* from the paper's source and the measured one; *curve*, for lazy networks, the exponent in the same window of the
# grey curve, since a measured spectrum is no power law and bends, given where its two bounds stay within a factor 1.5; the coupling of outputs makes linearised networks of finite width slower still, as the
# page on {ref}`the source <source-page>` shows.

# %% tags=["hide-input"]
heads = {"growth": "kernel", "window": "window (steps)", "edge": "edge from", "memory": "stream/test"}
formats = {"growth": ".2f", "window": ".0f", "edge": ".0f", "repeated": ".2f"}
formats |= dict.fromkeys(("exponent", "interval", "paper", "own", "curve", "memory"), ".3f")
exponents = [page.exponents(one) for one in found]
for one, table in zip(found, exponents, strict=True):
    caption = f"{one.title}: β = {one.paper:g} in the paper, {one.source.source:.3f} measured"
    display(Table(table, caption, heads, formats))

# %% [markdown]
# **Late departure.** The exponent of the last decade of steps against that of the decade before, seed by seed.

# %% tags=["hide-input"]
formats = {"before": ".3f", "late": ".3f", "difference": "+.3f", "interval": "+.3f"}
departures = [page.departures(one) for one in found]
for one, table in zip(found, departures, strict=True):
    display(Table(table.drop(columns=["window", "missing"]), one.dataset, formats=formats))

# %% tags=["hide-input", "nbval-check-output"]
holding(page.sound(found))

# %% [markdown]
# ## Claims
#
# An exponent counts as confirmed within a third of the gap between lazy and rich, with the paper's $\beta$. A late departure counts as confirmed
# if the kernel has doubled, the decade before the last agrees with $t^{-2\beta/(1+\beta)}$ within that tolerance, the last one is steeper by more than it, and the curve
# steepens more than the linearised one does, interval over networks included. Fewer steps than the paper's 100000 cannot speak against it.

# %% mystnb={"markdown_format": "myst"} tags=["hide-input"]
claims = [
    claim for one, table in zip(found, exponents, strict=True) for claim in page.exponent_claims(plan, one, table)
]
claims += [
    page.departure_claim(plan, one, table)
    for one, table in zip(found, departures, strict=True)
    if one.dataset.startswith("cifar")
]
ledger.show(claims)

# %% [markdown]
# ## What was chosen, and what is reduced
#
# The paper states the richness, the range of steps and, for digits, two convolutions and two dense layers. Ours are width, batch and learning
# rate; the layout, that of the nearest public code of the group (`vision_tasks` of `Pehlevan-Group/Richness_Sweep`), without its biases and with
# the fan-in of every layer in front of its weights; one-hot targets; images with mean 0 and variance 1 per channel. The learning rate is chosen so that
# the kernel at the start stays below half the edge of stability.
#
# - **Digits.** 1000 steps of 64 samples take 64000 from the 60000 images of MNIST: each comes once before any comes again, and one in sixteen samples
#   has been seen before. The generated digits at *reduced* scale are 54000 and repeat likewise, one in six; the million of the *full* scale would not.
# - **Objects.** CIFAR-5M is not available everywhere. Its stand-in is CIFAR-10 with random shifts of up to four pixels and mirror images, 162 views of each
#   image. Views of one image are not independent: a network that sees an image for the tenth time knows it, so at late steps the test
#   loss carries a share of memory, and the online assumption holds the less the richer the network. Test images are shifted and mirrored likewise, once
#   for all. The table has the share of samples whose image had been seen, and the loss of the stream over that of test images at the end. With `cifar5m` among `objects` the same plan runs online,
#   up to batches of 50 in 100000 steps.
# - **Test images** are the first ones of the test sets. Those of MNIST are by other writers than the training images, and the first half of them is the
#   easier one, so that test losses of digits are not exactly those of a fresh sample.
# - **Steps and width.** At *reduced* scale (b) runs a tenth of the paper's steps. The parameters of the *full* scale are for a GPU: the paper's steps, a million
#   generated digits, CIFAR-5M, and twice the width.
# - **Small scale** has narrow networks, few steps and few images for the kernel: the effect shows, exponents do not.
