# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
#   neural_scaling:
#     reads:
#     - data/claims/ledger.json
# ---

# %% [markdown]
# (claims-page)=
# # All claims
#
# Every page judges the claims of its figure or table and records them in one ledger, `data/claims/ledger.json`. The
# rule is the same everywhere. It compares the interval of the measurement (95 %, or the extremes seen where nothing
# is random) with the prediction and a tolerance that the page states with its reason:
#
# - **confirmed**: the measurement lies within the tolerance, and its interval is not wider than the tolerance either
#   way;
# - **not confirmed**: the whole interval lies outside the tolerance;
# - **corrected**: the statement as printed is not confirmed, and a stated correction is;
# - **inconclusive**: anything else.
#
# The interval of an exponent is that of the mean slope of a curve in the window named, in logarithms. It need not hold the power to
# which the curve tends, if a correction decays slowly.
#
# Locations follow the numbering of arXiv 2409.17858v1.

# %% tags=["hide-input", "parameters"]
scale: "Scale" = "small"  # the only one: nothing here takes long

# %% tags=["hide-input"]
from IPython.display import Markdown, display

from companion import claims as ledger
from companion import notebook
from companion.tables import Table
from neural_scaling.base.paths import data_root

# %% tags=["hide-input", "provenance"]
print(notebook.provenance(scale))

# %% tags=["remove-input"]
entries = ledger.load_ledger(data_root() / "claims" / "ledger.json")
Table(ledger.summary(entries))

# %% mystnb={"markdown_format": "myst"} tags=["remove-input"]
display(Markdown(ledger.to_markdown(entries, with_item=True)))
