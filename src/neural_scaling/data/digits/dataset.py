"""MNIST-1M: sets of generated digits, in shards that can be drawn in any order, at any time, by anyone who has the weights."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator

from neural_scaling.base.checks import InputError, require, whole
from neural_scaling.base.terminal import say as say_on_terminal
from neural_scaling.data.digits.runs import ShardRun, trained_denoiser
from neural_scaling.data.digits.sizes import Pixels, find
from neural_scaling.data.digits.weights import digest
from neural_scaling.runs import Engine, Index, canonical_json
from neural_scaling.runs.engines import compute_all

__all__ = ["SHARDS", "origin", "planned", "shards", "version"]

#: Item of the user's cache in which shards are kept.
SHARDS = "mnist1m-shards"


def planned(size: str) -> list[ShardRun]:
    """Return the shards of a size for the weights that are there.

    Parameters
    ----------
    size
        ``small``, ``reduced`` or ``full``.

    Raises
    ------
    InputError
        If there is no such size, or no weights that can be used.
    """
    how = find(size)
    weights = digest(trained_denoiser(how.model).arrays)
    common = (how.model, weights, how.guidance, how.steps, how.churn, how.images, how.batch, how.seed)
    return [ShardRun(*common, shard) for shard in range(how.shards)]


def version(size: str) -> str:
    """Return 16 hexadecimal digits that change whenever weights or settings do, and with them the images.

    Parameters
    ----------
    size
        ``small``, ``reduced`` or ``full``.
    """
    identities = "\n".join(canonical_json(run) for run in planned(size))
    return hashlib.sha256(identities.encode()).hexdigest()[:16]


def origin(size: str) -> str:
    """Return in a few words what makes the images of a size."""
    settings = find(size)
    return (
        f"drawn from the {settings.model} diffusion model of this package with guidance {settings.guidance:g} "
        f"and {settings.steps} steps"
    )


def shards(
    size: str, say: Callable[[str], object] = say_on_terminal, count: int | None = None
) -> Iterator[tuple[Pixels, Pixels]]:
    """Yield the shards of a size in order, drawing those that are missing first.

    Can be killed at any time: finished shards stay in the user's cache, whole, and the next call goes on from them.

    Parameters
    ----------
    size
        ``small``, ``reduced`` or ``full``.
    say
        Told how many shards are there.
    count
        Only the first so many.

    Yields
    ------
    images : numpy.ndarray
        uint8, shape (k, 28, 28, 1).
    labels : numpy.ndarray
        uint8, shape (k,).

    Raises
    ------
    InputError
        If there is no such size, or no weights that can be used.
    neural_scaling.runs.Interrupted
        After SIGINT or SIGTERM.
    OSError
        If a shard cannot be written, for example on a full disk.
    """
    require(callable(say), "say", f"got {type(say).__name__}", "give a function of a line, such as print")
    count = None if count is None else whole(count, "count")
    runs, index = planned(size)[:count], Index(SHARDS)
    missing = [run for run in runs if index.look_up(run).found is None]
    say(f"mnist1m {size}: {len(runs) - len(missing)} of {len(runs)} shards are there")
    if missing:
        compute_all(missing, SHARDS, Engine.from_environment())
    for run in runs:
        seen = index.look_up(run)
        if seen.found is None:
            raise InputError(f"shards: {run.label}: {seen.reason}, just after it was drawn; build the set again.")
        yield seen.found.arrays["images"], seen.found.arrays["labels"]
