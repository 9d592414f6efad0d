"""Models that are simulated, and the runs of theory and simulation that are worth keeping."""
