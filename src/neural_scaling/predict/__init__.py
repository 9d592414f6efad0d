"""Your own spectrum, network or data: exponents, learning curves and what to spend compute on."""
