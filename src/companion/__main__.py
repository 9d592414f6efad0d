"""Entry of ``python -m companion``."""

from neural_scaling.base.interruption import importing

with importing():
    from companion.cli import main
    from neural_scaling.runs.commands import leave

leave(main())
