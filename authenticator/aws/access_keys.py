"""The account that an access key id names.

Source: T. Be'ery, "A short note on AWS KEY ID" (2023): ids that were created since 2019 hold the
account's number in 40 of their first 48 bits after the prefix. AWS does not document it.
"""

from __future__ import annotations

import binascii
from base64 import b32decode

_PREFIX_LENGTH, _ID_LENGTH = 4, 20
_BITS = 0x7FFFFFFFFF80
_SHIFT = 7


def account_in(access_key_id: str) -> str | None:
    """Return the account id that an access key id names, or None if it can name none.

    A hint that grants nothing: an id is not signed, and older ones give a number that is no
    account's.

    Args:
        access_key_id: such as `ASIAY34FZKBOKMUTVV7A`.
    """
    if len(access_key_id) != _ID_LENGTH:
        return None
    try:
        number = int.from_bytes(b32decode(access_key_id[_PREFIX_LENGTH:])[:6], "big")
    except binascii.Error:
        return None
    return f"{(number & _BITS) >> _SHIFT:012d}"
