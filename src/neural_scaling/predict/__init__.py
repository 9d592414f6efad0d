"""Your own spectrum, kernel, network or loss curves: exponents, learning curves, step sizes and the best use of compute."""
