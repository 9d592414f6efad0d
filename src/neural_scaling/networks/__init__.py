"""Neural networks with a richness, in torch, which the package itself does not import."""
