"""Made-up tasks."""

import numpy as np

from neural_scaling.spectra import PowerLaw


def kernel_of(law, samples, random, modes=3000):
    """Return kernel and targets of Gaussian features; modes behind the first act as white noise of both."""
    first, rest = PowerLaw(law.alpha, law.beta, modes).spectrum(), law.tail(modes + 1, 1.0)
    features = random.standard_normal((samples, modes)) * np.sqrt(first.eigenvalues)
    targets = features @ first.target + np.sqrt(rest.initial_loss) * random.standard_normal(samples)
    return features @ features.T + rest.trace * np.eye(samples), targets
