"""Command line of the pipeline: ``python tools/book.py --help``."""

from bookkit.commands import main

if __name__ == "__main__":
    raise SystemExit(main())
