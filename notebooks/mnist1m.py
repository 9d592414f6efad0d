# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
#   neural_scaling:
#     reads:
#     - data/results/diffusion
# ---

# %% [markdown]
# (mnist1m-page)=
# # MNIST-1M: digits by diffusion
#
# **The paper says.** Online training needs more images than MNIST has, so a million are drawn from a conditional
# denoising-diffusion model {cite:p}`ho2020denoising,pearce2022conditional` and called MNIST-1M (section 5.2). Public code of the
# authors' group makes them; images and weights are not public.
#
# **Here.** Our own model, trained on MNIST, ships with this repository. Its digits are legible, the right ones, and no copies.
# But they are not distributed like real ones: near enough to look alike, far enough to be told apart, and for a network
# {ref}`an easier task <fig-6-page>`.
#
# <!-- here: mnist1m.labels, mnist1m.new, mnist1m.distribution -->
#
# Anyone can draw the same images again: `python -m neural_scaling data mnist1m --size reduced`. The *reduced* set has 60 000
# images and is made for two cores, the *small* set has 2 000 for tests, the *full* one has a million with the settings of the
# public code, for a GPU.

# %% tags=["hide-input", "parameters"]
scale: "Scale" = "small"  # small, reduced or full: of the set that is judged
size: "DigitSet" = "small"  # set that is judged: small, or reduced
images: "Count" = 100  # how many of its images are judged
each: "Count" = 10  # images per digit in the sets whose Fréchet distance is taken
repeats: "Seeds" = 10  # how often these sets are chosen
neighbours: "Count" = 100  # images that are compared with the training images
seed: "Seed" = 0  # of these choices

# %% tags=["hide-input"]
from IPython.display import Markdown, display

from companion import claims as ledger
from companion import notebook
from companion.pages import mnist1m as page
from companion.tables import Table
from neural_scaling import runs

plan = notebook.plan(page.Plan, globals())
digits = notebook.dataset("mnist")
if digits is None:
    plan = notebook.shipped_plan(page.Plan)
result = plan.results()[plan.quality()]
denoiser, drawn = plan.denoiser, plan.drawn

# %% tags=["hide-input", "provenance"]
print(notebook.provenance(plan, seeds=seed))
print(runs.describe([result]))
print("weights: " + runs.describe([denoiser]))

# %% [markdown]
# ## The model
#
# Noise is added to an image in $T$ levels, $x_t = \sqrt{\bar\alpha_t}\, x_0 + \sqrt{1 - \bar\alpha_t}\, \epsilon$. A network sees $x_t$, the
# level and the digit, and learns to predict the velocity $\sqrt{\bar\alpha_t}\, \epsilon - \sqrt{1 - \bar\alpha_t}\, x_0$, from which image and
# noise both follow. For one image in ten the digit is withheld, so that the network also knows images of any digit.
#
# Drawing starts from pure noise and descends through some of the levels. At each, the prediction is $(1 + w)$ times that for
# the digit minus $w$ times that for any digit, classifier-free guidance of strength $w$ {cite:p}`ho2022classifier`, and part of
# the noise is drawn anew.

# %% tags=["hide-input"]
Table(page.settings())

# %% mystnb={"figure": {"caption": "Training of the denoiser: mean square error of the predicted velocity, mean over blocks of 100 steps.", "name": "fig-mnist1m-loss"}, "image": {"alt": "Log-log plot of the training loss against steps: a steep fall in the first few hundred steps, then a slow one."}} tags=["remove-input"]
display(page.loss_figure(denoiser))

# %% mystnb={"figure": {"caption": "The first ten generated images of each digit, not chosen, beside the first ten of the real test images.", "name": "fig-mnist1m-sheet"}, "image": {"alt": "Two sheets of ten times ten handwritten digits, generated ones on the left, real ones on the right. They look alike."}} tags=["lead", "remove-input"]
display(page.sheet_figure(result, digits))

# %% [markdown]
# ## The right digit
#
# A small convolutional network, trained on the real training images, classifies the generated ones. Guidance towards the
# asked digit should make them easy to read.

# %% tags=["hide-input"]
read = page.accuracies(result)
display(Table(read, "Accuracy of the classifier", formats={"accuracy": ".2%", "interval": ".2%"}))
display(Table(page.counts(result), "Digits drawn, and as the classifier counts them", heads={"seen": "counted"}))

# %% [markdown]
# ## The same distribution
#
# The Fréchet distance compares mean and covariance of the 64 features of that classifier. Sets are balanced over the digits and
# all of the same size, because the distance of two samples from one distribution falls inversely with their size. All distances
# are from sets of real test images. Other test images give the floor. Training images are what a perfect model would imitate;
# their distance may be above the floor, because the classifier was trained on them and because test images are by other
# writers. The bad imitation has only the mean and the covariance of the pixels of each digit.

# %% mystnb={"markdown_format": "myst"} tags=["hide-input"]
caption = f"Fréchet distance of {10 * plan.each} images from as many real test images, {plan.repeats} choices"
heads = {"spread": "standard deviation"}
display(Table(page.distances(result), caption, heads, {"mean": ".3f", "spread": ".3f"}))
way, times = page.way_to_bad(result), page.beyond_training(result)
low, high = way.interval
part = f"{100 * way.value:.1f} % ({100 * low:.1f} to {100 * high:.1f})"
least, most = times.interval
display(
    Markdown(
        f"Generated images are {part} of the way from training images to normal pixels, and {times.value:.2f} "
        f"times ({least:.2f} to {most:.2f}) as far from test images as training images are."
    )
)

# %% tags=["hide-input"]
formats = {"mean": ".4f", "spread": ".4f", "mean_spread": ".4f", "black": ".3f", "bright": ".3f"}
Table(page.grey_values(result), "Grey values", {"mean_spread": "spread of mean"}, formats)

# %% [markdown]
# ## New images
#
# A model that repeated its training images would be useless for online training. Two checks use the Euclidean distance of
# pixels: how far generated images are from the nearest of the 60 000 training images, beside the same for real test images;
# and how often the nearest of all 70 000 real images is a training image. Without memory of the training images this would
# happen six times out of seven; for a copy it always does.

# %% mystnb={"figure": {"caption": "Distance to the nearest training image: share of images below it.", "name": "fig-mnist1m-distance"}, "image": {"alt": "Two rising curves of the share of images against distance, one of real test images and one of generated ones."}} tags=["remove-input"]
display(page.distance_figure(result))

# %% mystnb={"figure": {"caption": "Of each digit the generated image that is nearest to a training image, with its distance, above that training image, with its label; then generated images that the classifier takes for another digit.", "name": "fig-mnist1m-neighbours"}, "image": {"alt": "Rows of ten digits: generated ones, their nearest training images, which look similar but not equal, and generated digits that are hard to read."}} tags=["remove-input"]
display(page.neighbours_figure(result, digits))

# %% tags=["hide-input"]
copied = page.copies(plan, result)
Table(page.novelty(plan, result, copied))

# %% [markdown]
# ## Claims
#
# Accuracies count as equal within one point, and images as new below a tenth of copies. Generated images count as distributed
# like MNIST if they are no further from test images than training images are, within 5 %. Small sets cannot tell distributions
# apart, so that this is asked at larger scales only.

# %% mystnb={"markdown_format": "myst"} tags=["hide-input"]
ledger.show(page.claims(plan, result, read, copied))

# %% [markdown]
# ## What was chosen
#
# From that public code come, for the *full* set, the 400 noise levels and their variances, 128 features, guidance 0.5, the
# range of pixels, batch, learning rate, and a million images. The network, the prediction of velocities, the averaging of
# weights and all of the *reduced* model are ours: 16 features, levels that end in pure noise, and a sampler that visits 25 of
# the 400 levels. Grey values below 8 of 255 are made black: a trace of noise is left there, and real images have few pixels
# between. The last tenth of the shards of each set is held out for testing.
#
# ## The same images on every machine
#
# Labels and noise of a shard follow from its seed alone and are the same on every machine. The rounding of the network is
# not, so grey values may differ by one, rarely more, between machines. On one machine and with the same number of threads the
# images are the same to the bit.
