"""Train the models, ship their weights, build sets of images: ``python -m neural_scaling.diffusion``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from neural_scaling.checks import InputError
from neural_scaling.diffusion.experiments import MODELS, WEIGHTS
from neural_scaling.paths import DataRootMissing
from neural_scaling.runs import Interrupted, obtain, promote
from neural_scaling.terminal import say


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Parameters
    ----------
    arguments
        Words after the program's name; by default those of the process.

    Returns
    -------
    int
        Exit status: 0, 2 for bad input, 130 after an interruption.
    """
    parser = argparse.ArgumentParser(prog="python -m neural_scaling.diffusion", description=__doc__)
    parser.add_argument("action", choices=["train", "promote"])
    parser.add_argument("model", choices=list(MODELS))
    options = parser.parse_args(arguments)
    try:
        if options.action == "train":
            result = obtain(MODELS[options.model], WEIGHTS, "full")
            say(f"{result.origin}: last loss {result.arrays['loss'][-1]:.4f}")
        else:
            promote([MODELS[options.model]], WEIGHTS)
    except Interrupted as stop:
        print(f"{stop}; the same command goes on from there.", file=sys.stderr)
        return 130
    except (InputError, DataRootMissing, OSError, ArithmeticError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
