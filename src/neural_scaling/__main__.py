"""Entry of ``python -m neural_scaling``."""

import sys

from neural_scaling.cli import main

sys.exit(main())
