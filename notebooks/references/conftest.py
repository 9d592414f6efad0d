"""What ``pytest --nbval`` compares here: text. Tables are HTML too, with a CSV of all digits; claims are Markdown too."""


def pytest_collectstart(collector):
    """Leave richer forms of an output out."""
    if hasattr(collector, "skip_compare"):
        collector.skip_compare += ("text/html", "text/markdown", "text/latex")
