# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# (weak-page)=
# # Weak richness: slower than linearised

# %% tags=["hide-input", "parameters"]
scale: "Scale" = "small"  # small, or full for the results that are shipped
beta: "HardSource" = 0.25  # source of the target, that of the studies of Figure 5
depth: "Count" = 4  # layers of weights L
width: "Count" = 32  # neurons N of a hidden layer (ours)
angles: "Count" = 128  # equidistant angles, all of them in every step (ours)
eta: "Positive" = 0.4  # learning rate eta_0 (ours)
steps: "Count" = 40  # last step (ours)
seeds: "Seeds" = 2  # networks per run (ours)
richness: "Positive" = 0.03  # gamma_0 where something else varies (ours)
richnesses: "Rising" = [0.01, 0.03]  # gamma_0 (ours)
sharpnesses: "Rising" = [4.0]  # s of the softplus (ours); ReLU beside them
angles_study: "RisingCounts" = [128]  # numbers of angles (ours)
