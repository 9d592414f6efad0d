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
# **The paper says.** Convolutional networks trained online on images follow $t^{-\beta}$ when lazy and $t^{-2\beta/(1+\beta)}$
# when rich (paper eq. 10): (a) on MNIST-1M with $\beta = 0.30$, (b) on CIFAR-5M with $\beta = 0.075$. On CIFAR a very rich
# network later falls faster.
#
# **Here.** The richer a network, the more its kernel grows and the faster its loss falls, on digits and on objects. The
# exponents themselves are less clear. Each is compared with the prediction from the source of its own task, measured as on
# the page on {ref}`the source <source-page>`. On digits the richest networks come close to the edge of stability before an
# exponent can be fitted.
#
# <!-- here: fig06.mnist.steeper, fig06.cifar10.rich, fig06.mnist1m-reduced.gamma0-0 -->

# %% tags=["hide-input", "parameters"]
scale: "Scale" = "small"  # small, reduced for what two cores reach, or full for the paper's ranges on a GPU
digits: "Images" = ["mnist"]  # datasets of (a)
objects: "Images" = ["cifar10"]  # datasets of (b)
richness_digits: "FromLazy" = [0.0, 0.1, 1.0]  # gamma_0 of (a); 0 is the linearised network
richness_objects: "FromLazy" = [0.0, 1.0]  # gamma_0 of (b)
width_digits: "Count" = 8  # N of (a), filters of the first convolution (ours)
eta_digits: "Positive" = 0.15  # learning rate eta_0 of (a) (ours)
batch_digits: "Count" = 32  # samples B of a step of (a) (ours)
steps_digits: "Count" = 60  # last step T of (a)
width_objects: "Count" = 8  # N of (b) (ours)
eta_objects: "Positive" = 0.3  # eta_0 of (b) (ours)
batch_objects: "Count" = 32  # B of (b) (ours)
steps_objects: "Count" = 60  # T of (b)
seeds: "Seeds" = 2  # networks per curve
test: "Count" = 100  # test images
kernel_width: "Count" = 8  # N of the kernel that fixes the windows (ours)
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
# The network has two 3×3 convolutions with $N$ and $2N$ filters, each followed by a rectifier and an average over 2×2 pixels,
# a dense layer of $8N$ neurons and ten outputs. It is centred, with weights, factors and steps as in the networks of
# {ref}`Figure 5 <fig-5-page>`. Targets are one-hot. The loss is the squared error, mean over outputs: 0.1 for a network whose
# output is zero.

# %% mystnb={"figure": {"caption": "**Paper Fig. 6.** Test loss against steps at several richnesses, mean over seeds with the band from the smallest to the largest. Grey: the lazy curve that the spectrum of the kernel at the start predicts, between its bounds. Dashed and dash-dotted: the lazy and the rich power of the paper's source.", "name": "fig-6"}, "image": {"alt": "Log-log plots of test loss against steps, one per dataset. The richer the network the faster its loss falls; the least rich ones run along the linearised one."}} tags=["remove-input"]
display(page.loss_figure(found))

# %% [markdown]
# ## The kernel
#
# We follow the tangent kernel over 16 test images and all outputs while a network trains. On digits it grows so fast that
# $\eta_0$ times its largest eigenvalue exceeds 1 before ten modes are learned, which leaves no window of gradient flow. That
# eigenvalue belongs to the mean over images, which is learned at once, and the loss goes on falling.

# %% mystnb={"figure": {"caption": "Tangent kernel of the same networks: trace over its first value, and learning rate times largest eigenvalue. Dashed: the edge of stability. Dotted: half-way to it, where windows end.", "name": "fig-6-kernel"}, "image": {"alt": "Upper panels: the trace of the kernel grows with richness. Lower panels: learning rate times largest eigenvalue rises to the edge of stability for the richest networks."}} tags=["remove-input"]
display(page.kernel_figure(found))

# %% [markdown]
# ## Windows
#
# No window looks at the loss. A window starts when ten modes of the kernel at the start are learned,
# $\lambda_{10} \eta_0 \int K(t)/K(0)\,dt = 1$, and, for a network whose kernel doubles, not before it has. It ends as in
# {ref}`Figure 5 <fig-5-page>`, where $\eta_0$ times the largest eigenvalue of the kernel reaches 1, half-way to the edge of
# stability, or at the last step. A network counts as rich if its kernel has doubled, as lazy if its kernel ends less than a
# quarter above its start. In between no power is predicted.
#
# ## Exponents
#
# *Paper* and *own* are predictions from the paper's source and the measured one. *Curve*, for lazy networks, gives the
# exponents of the two bounds of the grey curve in the same window: a measured spectrum is no exact power law, so its curve
# bends. The interval is that of the mean slope in the window, with the spread over seeds and the bend of the curve. Linearised
# networks of finite width are slower still, because the kernel couples the ten outputs (see {ref}`the source <source-page>`).

# %% tags=["hide-input"]
heads = {"growth": "kernel", "window": "window (steps)", "ends": "end of the window", "memory": "stream/test"}
formats = {"growth": ".2f", "window": ".0f", "repeated": ".2f"}
formats |= dict.fromkeys(("exponent", "interval", "paper", "own", "curve", "memory"), ".3f")
for one in found:
    caption = f"{one.title}: β = {one.paper:g} in the paper, {one.source.source:.3f} measured"
    measured = page.exponents(one)
    display(Table(measured[["gamma0", *page.EXPONENTS]], caption, heads, formats))
    display(Table(measured.drop(columns=[*page.EXPONENTS]), "Networks and windows", heads, formats))

# %% [markdown]
# ## Late departure
#
# The exponents in the two halves, in log steps, of every window, and their difference seed by seed.

# %% tags=["hide-input"]
formats = {"before": ".3f", "late": ".3f", "difference": "+.3f", "interval": "+.3f"}
for one in found:
    display(Table(page.departures(one), one.dataset, formats=formats))

# %% tags=["hide-input", "nbval-check-output"]
holding(page.sound(found))

# %% [markdown]
# ## Claims
#
# At every scale the page asks whether feature learning helps. Exponents are judged at larger scales only, by the source
# measured on the same images, whose error is in the interval. The linearised network is compared with the predicted curve in
# its window. Of the rich networks the one with the longest window is judged; on digits none has a window. The paper's $\beta$
# is that of other images and perhaps of another kernel; the page on {ref}`the source <source-page>` compares the two. A late
# departure counts as confirmed if in the second half of that window the exponent exceeds $2\beta/(1+\beta)$.

# %% mystnb={"markdown_format": "myst"} tags=["hide-input"]
ledger.show([claim for one in found for claim in page.claims(plan, one)])

# %% [markdown]
# Linearised networks on MNIST and CIFAR-10 are judged on the page on {ref}`the source <source-page>`, on CIFAR-10 without crops:

# %% mystnb={"markdown_format": "myst"} tags=["hide-input", "nbval-check-output"]
ledger.cite(*page.CITED.values())

# %% [markdown]
# ## What was chosen
#
# The paper states the richness, the range of steps and, for digits, two convolutions and two dense layers. Ours are width,
# batch and learning rate; one-hot targets; images with mean 0 and variance 1 per channel; and the layout, that of the nearest
# public code of the group (`vision_tasks` of `Pehlevan-Group/Richness_Sweep`), without its biases and with the fan-in of every
# layer in front of its weights. With this learning rate the kernel at the start stays below half the edge of stability.
#
# ## What is reduced: the images
#
# **Digits.** 1000 steps of 64 samples take 64000 from the 60000 images of MNIST: one sample in sixteen has been seen before.
# The 54000 generated digits of *reduced* scale repeat likewise; the million of *full* scale would not.
#
# **Objects.** CIFAR-10 with random shifts of up to four pixels and mirror images, 162 views of each image, stands in for
# CIFAR-5M, which is not available everywhere. Views of one image are not independent, so late in training networks partly
# memorise them, richer ones more. The tables of exponents have the share of samples whose image had been seen,
# *repeated*, and the loss on the stream divided by that on test images at the end, *stream/test*. With `cifar5m` among `objects` the same plan runs online.
#
# ## What is reduced: test images, steps and width
#
# **Test images** are the first ones of the test sets, shifted and mirrored likewise. Those of MNIST are by other writers than
# the training images, and their first half is the easier one.
#
# **Steps and width.** At *reduced* scale (b) runs a tenth of the paper's steps. The parameters of the *full* scale are for a GPU: the paper's
# steps, a million generated digits, CIFAR-5M, and twice the width. *Small* scale has narrow networks, few steps and few images
# for the kernel: the effect shows, exponents do not.
