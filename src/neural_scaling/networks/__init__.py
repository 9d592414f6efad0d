"""Neural networks with a richness parameter: parametrization, models and training, in torch.

Importing the package itself does not import torch; its modules do.
"""
