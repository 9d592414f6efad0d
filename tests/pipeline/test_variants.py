"""The full-scale version of a notebook: its own labels, everybody else's untouched."""

import jupytext

from bookkit import variants

SOURCE = """\
# %% [markdown]
# (page)=
# # Title with $x$
#
# (section-a)=
# ## Section
#
# $$ a $$ (eq-a)
#
# ```{math}
# :label: eq-b
# b
# ```
#
# :::{figure} x.png
# :name: fig-b
# :::
#
# {numref}`fig-a`, {numref}`Figure %s <fig-b>`, {eq}`eq-a`, {eq}`eq-b`, {ref}`section-a`, {ref}`there <page>`,
# [text](section-a), [](#page), [elsewhere](other-page), {ref}`other-section`, {eq}`eq-a-long`, {cite:p}`page`,
# [link](https://page), the word fig-a stays.

# %% mystnb={"figure": {"name": "fig-a", "caption": "As {numref}`fig-b`."}}
draw("fig-a")
"""

EXPECTED = """\
(page-full)=
# Title with $x$ (full scale)

(section-a-full)=
## Section

$$ a $$ (eq-a-full)

```{math}
:label: eq-b-full
b
```

:::{figure} x.png
:name: fig-b-full
:::

{numref}`fig-a-full`, {numref}`Figure %s <fig-b-full>`, {eq}`eq-a-full`, {eq}`eq-b-full`, \
{ref}`section-a-full`, {ref}`there <page-full>`,
[text](section-a-full), [](#page-full), [elsewhere](other-page), {ref}`other-section`, {eq}`eq-a-long`, {cite:p}`page`,
[link](https://page), the word fig-a stays."""


def test_labels_and_references_to_them_get_a_suffix():
    notebook = jupytext.reads(SOURCE, fmt="py:percent")
    assert variants.labels(notebook) == {"page", "section-a", "eq-a", "eq-b", "fig-a", "fig-b"}
    changed = variants.with_suffix(notebook, "full", "full scale")
    assert changed.cells[0].source == EXPECTED
    assert changed.cells[1].metadata["mystnb"]["figure"] == {
        "name": "fig-a-full",
        "caption": "As {numref}`fig-b-full`.",
    }
    assert changed.cells[1].source == 'draw("fig-a")'
