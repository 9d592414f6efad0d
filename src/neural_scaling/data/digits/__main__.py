"""Train the networks and ship their weights: ``python -m neural_scaling.data.digits``."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from neural_scaling.base.checks import InputError
from neural_scaling.base.terminal import say
from neural_scaling.data.digits.runs import JUDGE, MODELS, WEIGHTS
from neural_scaling.runs import Experiment, obtain, promote
from neural_scaling.runs.commands import leave, status_of


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command."""
    return status_of(lambda: _run(arguments))


def _run(arguments: Sequence[str] | None) -> None:
    networks: dict[str, Experiment] = {**MODELS, "judge": JUDGE}
    parser = argparse.ArgumentParser(prog="python -m neural_scaling.data.digits", description=__doc__)
    commands = parser.add_subparsers(required=True, dest="command", metavar="COMMAND")
    train = commands.add_parser("train", help="train a network; goes on where it was stopped")
    train.add_argument("network", choices=list(networks))
    commands.add_parser("ship", help="copy the weights of the reduced model and of the judge into data/results")
    options = parser.parse_args(arguments)
    if options.command == "train":
        try:
            result = obtain(networks[options.network], WEIGHTS, "full")
        except ArithmeticError as error:  # the training diverged
            raise InputError(str(error)) from error
        say(f"{options.network} {result.origin}: loss at the end {result.arrays['loss'][-1]:.4f}")
    else:
        copied, size = promote([MODELS["reduced"], JUDGE], WEIGHTS)
        say(f"{len(copied)} networks copied, {size / 1000:.0f} kB in all")


if __name__ == "__main__":
    leave(main())
