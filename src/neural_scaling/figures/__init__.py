"""Figures of the book: one module per figure, from values to a Matplotlib figure, all in one style."""

from neural_scaling.figures.style import book_style, new_figure, richness_color, width_color

__all__ = ["book_style", "new_figure", "richness_color", "width_color"]
