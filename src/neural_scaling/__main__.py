"""Entry of ``python -m neural_scaling``."""

from neural_scaling.base.interruption import importing

with importing():
    from neural_scaling.cli import main
    from neural_scaling.runs.commands import leave

leave(main())
