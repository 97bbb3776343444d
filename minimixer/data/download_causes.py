"""Why a download failed, and what to do about it."""

import errno
import os
import re
import ssl
from pathlib import Path

import requests

from minimixer.data.dataset import DataError
from minimixer.errors import ADVICE
from minimixer.files import FileRefusedError, check_regular
from minimixer.text import printable

BUNDLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")      # environment variables that requests obeys, in this order
PERMISSION = (errno.EACCES, errno.EPERM, errno.EROFS)
FULL = (errno.ENOSPC, errno.EDQUOT)

# What an error says -> what that means.
CAUSES = (
    (r"NameResolutionError|getaddrinfo|Name or service not known",
     "no address was found for the host: is there a network?"),
    (r"ProxyError|Unable to connect to proxy", "the proxy did not answer: check HTTPS_PROXY, HTTP_PROXY and NO_PROXY"),
    (r"Connection refused|Errno 111|WinError 10061",
     "the host refused the connection: check the network and its proxy"),
    (r"timed out|Timeout", "the host did not answer in time: try again later"),
    (r"SSLError|\[SSL", "the encrypted connection failed: check the proxy, or use a browser"),
)


def check_bundle() -> None:
    """Refuse a variable that names a file of CA certificates that is not there or is none.  Raises DataError."""
    for variable in BUNDLES:
        if not (bundle := os.environ.get(variable)):
            continue
        try:
            if not os.path.isdir(bundle):
                check_regular(Path(bundle))
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.load_verify_locations(**{"capath" if os.path.isdir(bundle) else "cafile": bundle})
        except (OSError, FileRefusedError) as error:
            raise DataError(f"{variable} names {printable(bundle)}, which holds no CA certificates ({_words(error)}): "
                            "name a .pem file, or unset it") from error
        return


def hopeless(error: Exception, url: str, target: Path) -> DataError | None:
    """The error to raise at once, because another try would end in the same way; None if it may not."""
    if isinstance(error, requests.TooManyRedirects):
        return DataError(f"{url} redirects in a loop: {error}; open it in a browser to see why")
    if failed := re.search(r"certificate verify failed:? ?([^(\"']*)", str(error)):
        return DataError(f"{url} cannot be trusted: the certificate of the server cannot be verified "
                         f"({printable(failed[1].strip()) or 'no reason is given'}); if a proxy or a virus scanner "
                         "opens encrypted connections here, let REQUESTS_CA_BUNDLE name its .pem file of CA "
                         f"certificates, or download the file in a browser and put it at {printable(target, None)}")
    return None


def cause_of(error: Exception | None) -> str:
    """What a failed connection means, as the end of a sentence; empty if nothing is known."""
    said = f"{type(error).__name__}: {error}"
    return next((f"; {meaning}" for pattern, meaning in CAUSES if error and re.search(pattern, said)), "")


def cannot_write(target: Path, part: Path, error: OSError) -> DataError:
    """The error for a file that cannot be written, with the remedy that fits."""
    remedy = "see why, or choose another folder"
    if error.errno in FULL:
        remedy = "free disk space"
    elif error.errno == errno.EFBIG:
        remedy = ADVICE["EFBIG"]
    elif error.errno in PERMISSION:
        remedy = "make the folder writable, or choose another one"
    kept = f"; the bytes so far are kept in {part}" if part.is_file() else ""
    return DataError(f"{target} cannot be written: {_words(error)}{kept}; {remedy}, then run the same command again to "
                     "continue")


def _words(error: OSError | FileRefusedError) -> str:
    return printable(getattr(error, "strerror", None) or str(error) or type(error).__name__)
