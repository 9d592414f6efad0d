# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# (fig-5-page)=
# # Figure 5: networks on the circle
#
# **The paper says.** Deep networks trained online on $y(\theta) = \sum_k k^{-q} \cos k\theta$ (paper eq. 13) follow the power
# $t^{-\chi(\beta)}$ (paper eq. 10) with $\beta = (2q-1)/(2q_\phi)$ (paper eq. 14), (a) as the target changes and (b) as the
# activation $[h]_+^{q_\phi}$ does.
#
# **Here.** On hard tasks ($\beta < 1$) the kernel of a rich network grows and its loss falls faster than $t^{-\beta}$, with an
# exponent that climbs towards $\chi$ from below. The growing kernel accounts for the gain. At a fixed step size it ends at the
# edge of stability.
#
# <!-- here: fig05.a.gain, fig05.a.rich.share, fig05.a.kernel -->

# %% tags=["hide-input", "parameters"]
scale: "Scale" = "small"  # small, or full for the sizes of the paper
depth: "Count" = 4  # layers of weights L
width: "Count" = 32  # neurons N of a hidden layer
batch: "Count" = 64  # fresh samples B of a step (ours: the paper does not state it)
steps: "Count" = 150  # last step T
seeds: "Seeds" = 2  # networks per curve
seeds_lazy: "Seeds" = 2  # networks per linearised curve of a hard task in (a) (ours)
eta: "Positive" = 0.1  # learning rate eta_0 (ours)
richness: "Positive" = 0.5  # gamma_0 of the rich curves (ours)
angles: "Count" = 2048  # equidistant angles that samples are drawn from (ours)
betas: "Sources" = [0.1, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5]  # sources of (a)
decay: "Positive" = 1.4  # q of the target of (b)
powers: "Positives" = [1.8, 1.2, 0.9, 0.72]  # q_phi of (b)
richness_activations: "Rising" = [0.1, 0.5]  # gamma_0 of (b) (ours); the last is drawn
beta_study: "Source" = 0.25  # source of the studies (ours)
richness_study: "FromLazy" = [0.0, 0.3, 1.0]  # gamma_0, first the linearised network
eta_study: "Rising" = [0.05, 0.2]  # eta_0
richness_eta_study: "FromLazy" = [0.0, 0.5]  # gamma_0 of the study of eta_0
batch_study: "RisingCounts" = [16, 64]  # B
width_study: "RisingCounts" = [16, 32]  # N
beta_easy_study: "EasySource" = 1.25  # source of the study of N for linearised networks
width_easy_study: "RisingCounts" = [16, 32]  # N of that study

# %% tags=["hide-input"]
from IPython.display import display

from companion import circle_compare as compare
from companion import circle_curves as circle
from companion import claims as ledger
from companion import notebook
from companion.pages import fig05 as page
from companion.tables import Table, holding
from neural_scaling import runs

plan = notebook.plan(page.Plan, globals())
results = plan.results()

# %% tags=["hide-input", "provenance"]
print(notebook.provenance(plan, seeds=range(max(seeds, seeds_lazy))))
print(runs.describe(list(results.values())))

# %% [markdown]
# ## Losses
#
# Inputs are $\sqrt 2\,(\cos\theta, \sin\theta)$, targets the whole series (a polylogarithm, no term left out). Outputs are centred:
# the initial network is subtracted. The test loss is exact over the circle. Beside each network we train its linearised
# twin, with the same initial weights on the same samples.

# %% tags=["hide-input"]
targets = {gamma0: circle.curve_rows(plan.targets(gamma0), results) for gamma0 in (0.0, richness)}
gammas = (0.0, *richness_activations)
activations = {gamma0: circle.curve_rows(plan.activations(gamma0), results) for gamma0 in gammas}

# %% mystnb={"figure": {"caption": "**Paper Fig. 5.** Test loss against steps, (a) ReLU networks on targets of changing source and (b) one target at changing activation. Solid: rich networks, mean over seeds and band from the smallest to the largest. Dotted: linearised networks. Dashed: the predicted power, in the window of the fit where there is one and over the last decade otherwise.", "name": "fig-5"}, "image": {"alt": "Two log-log plots of test loss against steps, one colour per source. Rich curves lie below the dotted linearised ones and fall along the dashed predicted powers before the hardest tasks level off."}} tags=["remove-input"]
panels = [
    ("(a) ReLU, changing target", targets[richness], targets[0.0]),
    (rf"(b) changing activation, $q = {decay:g}$", activations[gammas[-1]], activations[0.0]),
]
display(circle.loss_figure(panels))

# %% tags=["hide-input", "nbval-check-output"]
holding(circle.sound(targets[richness], targets[0.0], slack=1.02))

# %% [markdown]
# ## The kernel
#
# We follow the tangent kernel of each network while it trains: its trace, which in theory grows as $t^{1-\chi}$ on hard tasks,
# and its largest eigenvalue, which must stay below $2/\eta_0$.

# %% mystnb={"figure": {"caption": "Tangent kernel of the rich networks of (a): trace over its first value, and learning rate times largest eigenvalue. Dashed above: the predicted growth of hard tasks, in the windows.", "name": "fig-5-kernel"}, "image": {"alt": "Upper panel: the trace of the tangent kernel grows by a factor that is larger the harder the task. Lower panel: learning rate times largest eigenvalue rises and, for the hardest tasks, saturates just below 2."}} tags=["remove-input"]
display(page.kernel_figure(targets[richness]))

# %% [markdown]
# Paper eq. 52, evaluated on the clock of each network, predicts a trace that grows faster in these windows than at late times,
# where it grows as $t^{1-\chi}$. The trace of the networks grows faster still. There are two possible reasons: it includes
# directions that are learned already, and these networks have four layers of weights where the solvable model has one of
# features. We do not know which it is.

# %% tags=["hide-input"]
found = page.measure(plan, targets, activations, results)
if found is not None:
    heads = {"late": "1 - χ", "theory": "paper eq. 52 in the window", "window": "window in steps"}
    formats = {"late": ".3f", "theory": ".3f", "exponent": ".3f", "interval": ".3f", "window": ".0f"}
    shown = found.growths.drop(columns="ratio")
    display(Table(shown, "Exponents of K(t) - K(0) on hard tasks", heads, formats))

# %% [markdown]
# ## Exponents in windows fixed beforehand
#
# No window looks at the loss. A window starts where the loss of the infinitely wide linearised network, known exactly, has
# an exponent within a tenth of $\beta$, on the clock of the growing kernel, $\int K(t)/K(0)\,dt$; for rich networks on hard tasks
# the kernel must also have doubled. It ends at the last step, or when $\eta_0$ times the largest eigenvalue reaches 1. The
# interval is that of the mean slope in the window: the spread over seeds and the bend of the curve.
#
# "Late" is the exponent in the later half of the window in log steps, "lazy" that of the infinitely wide linearised network
# in the same window.

# %% tags=["hide-input"]
display(circle.exponents([row for rows in targets.values() for row in rows], "(a) changing target"))
display(circle.exponents([row for rows in activations.values() for row in rows], "(b) changing activation"))

# %% tags=["hide-input", "nbval-check-output"]
starts = page.window_starts(targets[0.0])
Table(starts, "Linearised networks", heads={"start": "window starts at step"}, formats={"start": ".0f"})

# %% [markdown]
# ## Rich beside lazy, seed by seed
#
# Rich and linearised networks of one seed start from the same weights. Here "lazy" is the exponent of the linearised networks
# of the same width, in the windows of the rich ones. The effect of each seed's kernel is replaced by its mean over 48 random
# networks, which removes most of the spread. "Share" is the part of the way from the exponent of infinite width to $\chi$ that
# feature learning covers.

# %% tags=["hide-input"]
if found is not None:
    heads = {"rich": "rich", "lazy": "lazy", "infinite": "lazy, N = ∞", "level": "rich/χ", "share": "share of the way"}
    formats = dict.fromkeys(("predicted", "rich", "lazy", "infinite", "level", "share"), ".2f")
    display(
        Table(compare.table(found.compared), "Exponents in the windows of the rich networks of (a)", heads, formats)
    )

# %% [markdown]
# ## The clock of the kernel
#
# If the kernel grew by a common factor only, a rich network would be a lazy one on the clock $s = \int K(t)/K(0)\,dt$ (paper
# eq. 65). For $\beta < 1/2$ claims use the trace as $K$, since little of it belongs to what is learned already. For larger
# $\beta$ we trained the networks again and followed their kernels on every mode, $K_k = \langle \cos k, K \cos k \rangle$. The
# clock of what is still to be learned runs at the rate $\sum_k r_k^2 K_k(t) / \sum_k r_k^2 K_k(0)$, where
# $r_k = k^{-q} e^{-\eta_0 K_k(0) s}$ is what a lazy network has left to learn in mode $k$ at $s$. This rule is ours and was
# fixed before any of these kernels was seen. On its clock the loss of a hard task falls as that of a lazy network does.

# %% tags=["hide-input"]
if found is not None:
    heads = {"clock": "kernel of the clock", "theory": "lazy theory", "window": "window in steps"}
    formats = {"theory": ".3f", "exponent": ".3f", "interval": ".3f", "window": ".0f"}
    display(Table(found.clocked, "Exponents in the clock of the kernel", heads, formats))

# %% [markdown]
# ## When the claim holds, and what spoils it
#
# These panels are ours. Filled points are exponents in the window above, open points those over the last decade of steps. Where
# a filled point is missing the window is too short: the network is not yet rich, or already at the edge of stability. At the
# edge the loss falls more slowly. {ref}`Smaller steps <smallsteps-page>` postpone that end; with larger steps or more
# richness it comes before the rich power has begun. Steep activations leave no window at any richness tried.
#
# The gain does not set in smoothly. Weakly rich networks agree with their linearised twins early, but late their loss lies
# above and falls more slowly, so that the exponent first drops as richness grows from 0. The solvable model has no such effect
# at infinite width. The page on {ref}`weak-page` traces it to the kinks of the activation, which move the part of the kernel
# between modes.

# %% tags=["hide-input"]
studies = page.studies(plan, results)

# %% mystnb={"figure": {"caption": "Exponent of the loss against richness, step size, batch and width. Filled: in the window that theory and the kernel fix. Open: over the last decade of steps. Dashed: the lazy and the rich prediction.", "name": "fig-5-studies"}, "image": {"alt": "Four panels of fitted exponents. With growing richness the exponent rises to the rich prediction, after a drop at little richness where that was run, and over the last decade falls again where the edge of stability is reached."}} tags=["remove-input"]
display(page.study_figure(plan, studies))

# %% tags=["hide-input"]
heads = {"exponent": "in the window", "decade": "last decade", "diverged": "diverged at step"}
formats = {"exponent": ".3f", "interval": ".3f", "decade": ".3f", "diverged": ".0f"}
Table(studies, f"Exponents at β = {beta_study:g}", heads, formats)

# %% [markdown]
# ## Finite width
#
# A linearised network differs from one of infinite width only by the kernel of its initial weights. Gradient descent with that
# kernel, diagonalised on 2048 angles, gives its loss without training. "Own" is the measured loss divided by this one, over the
# last decade of steps; "N = ∞" is the measured loss divided by that of infinite width. No number is given where half as many
# angles change the loss by 2 % or more: slopes of the activation are infinite at the kinks for $q_\phi < 1$.

# %% tags=["hide-input"]
if found is not None:
    heads = {"power": "q_φ", "own": "own", "infinite": "N = ∞"}
    formats = {"power": "g", "own": ".3f", "interval": ".3f", "infinite": ".2f"}
    caption = "Linearised networks: loss over that of their kernels and over that of infinite width"
    display(Table(found.widths.drop(columns=["seeds", "panel"]), caption, heads, formats))

# %% [markdown]
# On an easy task a linearised network of finite width leaves the power $t^{-\beta}$, later if it is wider: part of the target
# leaks into modes that the kernel learns late. The excess over infinite width falls roughly as $(1/N)\, t^{-1/2}$. This is the
# finite-width transient of the solvable model, $(1/N)\, t^{-(1-1/\alpha)}$ with $\alpha = 2$, in deep networks.

# %% tags=["hide-input"]
finite = circle.curve_rows(plan.by_width_easy(), results)
caption = f"Linearised networks, β = {beta_easy_study:g}: loss over that of infinite width"
heads = {f"width{N}": f"N = {N}" for N in width_easy_study}
Table(page.excess(finite), caption, heads, {"step": ".0f"} | dict.fromkeys(heads, ".2f"))

# %% [markdown]
# ## Claims
#
# The exponent of a network is confirmed within a tenth, or 0.02 where that is more, if its interval is no wider. Claims about
# (b) are made at the richness that is drawn; at the smaller one networks are hardly rich. Exponents of linearised networks are
# judged only where finite width adds less than a tenth to the loss over a third of a decade; elsewhere the question is whether
# they follow their own kernels, within 5 %. Where rich and lazy are compared, the interval must lie above the limit for the
# task with the weakest effect. At small scale networks have no window, and only the theory of infinite width is judged.

# %% mystnb={"markdown_format": "myst"} tags=["hide-input"]
ledger.show(page.claims_of(plan, targets, activations, finite, found, results))

# %% [markdown]
# ## What was chosen
#
# The paper states depth, width, sources, activations and the number of steps. Ours are batch, learning rate and richness,
# the normalisation $|x|^2 = 2$, with which every layer starts with unit variance, and all studies. Depth 4 means four layers
# of weights. The step size lets the infinitely wide linearised network reach its last exponent well before the last step
# while the network is stable; the richness lets most hard tasks turn rich before that and reach the edge of stability late.
# Hard tasks have more linearised networks than other curves have networks, since their lazy exponents are judged.
#
# Samples are drawn from equidistant angles, many more than any network here resolves, so that the initial network is
# evaluated once at each instead of at every step. At small scale the networks are narrower, batches smaller and runs shorter:
# the effect shows, exponents do not.
