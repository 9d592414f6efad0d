"""What can go wrong on the way to a dataset, one exception for each kind of remedy."""

from __future__ import annotations

import errno

#: Errors that no other source would cure: the disk is full or cannot be written.
DISK = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM})


class DatasetError(RuntimeError):
    """A dataset cannot be used; the message says why and what to do."""


class DatasetUnavailable(DatasetError):
    """No source of a dataset could be used; the message lists what was tried and says what to do."""


class DatasetDamaged(DatasetError):
    """A file of a dataset on disk is not as it was written; the message names it and says what to do."""


class SourceFailed(DatasetError):
    """One source could not be used; the message says why in a few words. The next one is tried."""


def is_disk_problem(error: OSError) -> bool:
    """Return whether the local disk is to blame, so that trying another source is useless."""
    return error.errno in DISK
