"""What each figure or table with runs of its own computes, measures and claims; the notebooks call it."""
