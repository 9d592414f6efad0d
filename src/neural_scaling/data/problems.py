"""What can go wrong on the way to a dataset, one exception for each kind of remedy."""

from __future__ import annotations

import errno

from neural_scaling.base.checks import Explained

#: Errors that no other source would cure: the disk is full or cannot be written.
DISK = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM})


class DatasetError(Explained, RuntimeError):
    """A dataset cannot be used; the message says why and what to do."""


class DatasetUnavailable(DatasetError):
    """No source of a dataset could be used; the message lists what was tried and says what to do."""


class DatasetDamaged(DatasetError):
    """A file of a dataset on disk is not as it was written; the message names it and says what to do."""


class SourceFailed(DatasetError):
    """One source could not be used; the message says why in a few words. The next one is tried."""


#: Words of requests, pip, npm and others where a certificate is not trusted, and where a proxy cannot be used.
_CERTIFICATE = (
    "SSLError",
    "CERTIFICATE_VERIFY_FAILED",
    "certificate verify failed",
    "CA certificate",
    "self-signed certificate",
    "SELF_SIGNED_CERT",
    "UNABLE_TO_VERIFY",
    "UNABLE_TO_GET_ISSUER",
    "CERT_HAS_EXPIRED",
)
_PROXY = (
    "ProxyError",
    "InvalidProxyURL",
    "Cannot connect to proxy",
    "tunneling socket",
    "proxy URL",
    "Proxy connection",
)


def network_trouble(said: str) -> str | None:
    """Return what a message of a client of the network says of certificates or proxies, with what to do; None if nothing."""
    if any(words in said for words in _CERTIFICATE):
        return (
            "the secured connection cannot be verified: set REQUESTS_CA_BUNDLE (for npm NODE_EXTRA_CA_CERTS) to the file "
            "of the certificates that your network uses"
        )
    if any(words in said for words in _PROXY):
        return "the proxy cannot be used: set HTTPS_PROXY (and HTTP_PROXY) to the address of one that answers, or unset them"
    return None


def is_disk_problem(error: OSError) -> bool:
    """Return whether the local disk is to blame, so that trying another source is useless."""
    return error.errno in DISK
