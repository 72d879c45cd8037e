"""Base64url without padding (RFC 4648, section 5), in the one spelling that a byte string has."""

from __future__ import annotations

import binascii
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode

_ENCODED = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)


def decode(encoded: str) -> bytes:
    """Decode a text strictly; it is not empty.

    Raises:
        ValueError: it is not unpadded base64url, is cut short, or has bits set past its last byte.
            The message completes a sentence that begins with "it".
    """
    if not _ENCODED.fullmatch(encoded):
        raise ValueError("is not unpadded base64url (RFC 4648, section 5)")
    try:
        decoded = urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))
    except binascii.Error:
        raise ValueError("is base64url that is cut short") from None
    # Bits past the last byte would be dropped, and one token would have many spellings.
    if urlsafe_b64encode(decoded).rstrip(b"=") != encoded.encode():
        raise ValueError("is base64url with bits set past its last byte")
    return decoded
