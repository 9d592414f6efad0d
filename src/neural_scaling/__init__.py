"""Theory, dynamical mean field theory and simulation of neural scaling laws with feature learning.

Companion library of Bordelon, Atanasov and Pehlevan, "How Feature Learning Can Improve Neural Scaling
Laws" (ICLR 2025). Import the room you need: :mod:`neural_scaling.theory`, :mod:`neural_scaling.spectra`,
:mod:`neural_scaling.dmft`, :mod:`neural_scaling.models.toy_model`, :mod:`neural_scaling.fits`,
:mod:`companion.claims`, :mod:`neural_scaling.runs`, :mod:`companion.style`.
"""

__version__ = "0.1.0"
