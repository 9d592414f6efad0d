"""Steps compiled by ``torch.compile`` where that is possible, and the reason where it is not."""

from __future__ import annotations

from collections.abc import Callable

import torch

Step = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]


class CompiledStep:
    """A training step, compiled at its first call; if the compiler fails, before anything ran, the plain one from then on."""

    def __init__(self, step: Step, say: Callable[[str], None] = print) -> None:
        self._plain, self._say = step, say
        self._step: Step = torch.compile(step)
        self._tried = False

    @property
    def compiled(self) -> bool:
        """Whether calls go to the compiled step."""
        return self._step is not self._plain

    def __call__(self, x: torch.Tensor, y: torch.Tensor, frozen: torch.Tensor) -> torch.Tensor:
        """Take the step."""
        if self._tried:
            return self._step(x, y, frozen)
        self._tried = True
        try:
            return self._step(x, y, frozen)
        except (
            Exception
        ) as error:  # compilers fail in many ways; an error of the step itself comes again from the plain one
            cause = getattr(error, "inner_exception", error)  # what the compiler of torch wraps
            lines = str(cause).strip().splitlines() or [""]
            self._say(f"the step is not compiled: {type(cause).__name__}: {lines[0]}")
            self._step = self._plain
            return self._plain(x, y, frozen)
