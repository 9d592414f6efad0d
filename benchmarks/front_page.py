"""Seconds until the explorer of the built front page answers in a browser that has seen nothing yet."""

import asyncio
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tools"))  # the tools are not installed

from bookkit import browser, operated  # noqa: E402
from bookkit.project import Project  # noqa: E402


def main() -> None:
    """Print the median of several cold starts."""
    html = Project(ROOT).html
    lacking = browser.missing() or ("" if html.is_dir() else "there is no built book: run `nox -s book`")
    if lacking:
        print(f"front page: {lacking}")
        return
    seconds = [asyncio.run(operated.cold_start(html)) for _ in range(5)]
    print(f"the front page answers {sorted(seconds)[2]:.2f} s after a cold start, 1.5 s are allowed")


if __name__ == "__main__":
    main()
