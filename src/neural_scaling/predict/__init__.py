"""Your own spectrum, network or data in; exponents, curves and how to spend compute out."""
