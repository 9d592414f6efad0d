"""Where data and caches are: one place that knows, so that nothing else builds a path.

The data root holds what is shipped with the repository (results of full-scale runs, the claims ledger). It is, in
this order, the folder named by ``NEURAL_SCALING_DATA``, the ``data`` folder of the checkout the package is imported from, or the
``data`` folder of the checkout that contains the working directory. An installed package outside any checkout has none.
"""

from __future__ import annotations

import os
from pathlib import Path

from platformdirs import user_cache_path

from neural_scaling.base.checks import text

__all__ = ["DataRootMissing", "cache_root", "checkout", "data_root", "datasets_root", "find_data_root", "shipped_scale"]

#: Scales of a page; ``reduced`` stands between the two for pages whose full scale needs a GPU.
SCALES = ("small", "reduced", "full")
DATA_VARIABLE = "NEURAL_SCALING_DATA"
CACHE_VARIABLE = "NEURAL_SCALING_CACHE"
DATASETS_VARIABLE = "NEURAL_SCALING_DATASETS"


class DataRootMissing(FileNotFoundError):
    """Shipped data were asked for, but no data root can be found."""


def checkout() -> Path | None:
    """Return the root of the checkout this package belongs to or the working directory lies in, or None."""
    own = own_checkout()
    if own is not None:
        return own
    try:
        here = Path.cwd().resolve()
    except FileNotFoundError:  # it has been deleted
        return None
    return next((folder for folder in (here, *here.parents) if _is_checkout(folder)), None)


def own_checkout() -> Path | None:
    """Return the root of the checkout this package is imported from, or None for an installed one, wherever that lies."""
    package = Path(__file__).resolve().parents[1]
    root = package.parents[1]
    return root if _is_checkout(root) and (root / "src" / "neural_scaling").samefile(package) else None


def _is_checkout(folder: Path) -> bool:
    return (folder / "notebooks" / "parameters").is_dir() and (folder / "src" / "neural_scaling").is_dir()


def shipped_scale(item: str) -> str:
    """Return the scale at which results of an item are shipped: ``reduced`` where it has such parameters, else ``full``.

    Parameters
    ----------
    item
        For example ``fig06``.
    """
    root, item = checkout(), text(item, "item")
    reduced = root is not None and (root / "notebooks" / "parameters" / f"{item}.reduced.yaml").is_file()
    return "reduced" if reduced else "full"


def find_data_root() -> Path | None:
    """Return the data root, or None if there is none.

    Raises
    ------
    DataRootMissing
        If ``NEURAL_SCALING_DATA`` is set to a folder that does not exist.
    """
    named = os.environ.get(DATA_VARIABLE)
    if named:
        root = Path(named).expanduser()
        if not root.is_dir():
            raise DataRootMissing(
                f"{DATA_VARIABLE}: {root} is not a folder; point it at the data folder of a checkout."
            )
        return root
    found = checkout()
    return found / "data" if found is not None else None


def data_root() -> Path:
    """Return the data root.

    Raises
    ------
    DataRootMissing
        If there is none.
    """
    root = find_data_root()
    if root is None:
        raise DataRootMissing(
            f"no data folder found: the package is installed outside a checkout; set {DATA_VARIABLE} to the data folder of one."
        )
    return root


def cache_root() -> Path:
    """Return the folder for computed results, ``NEURAL_SCALING_CACHE`` or the user's cache; it may not exist yet."""
    named = os.environ.get(CACHE_VARIABLE)
    return Path(named).expanduser() if named else user_cache_path("neural-scaling", appauthor=False)


def datasets_root() -> Path:
    """Return the folder for image data, ``NEURAL_SCALING_DATASETS`` or a folder of the cache; it may not exist yet.

    It has a variable of its own because the data are large, are the same for all versions of the code, and may be shared.
    """
    named = os.environ.get(DATASETS_VARIABLE)
    return Path(named).expanduser() if named else cache_root() / "datasets"
