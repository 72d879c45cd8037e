"""A Python built for FIPS 140: hash functions that are not approved raise.

So does Red Hat's Python on a host in FIPS mode. MD5 for what is no security remains, as there.
Source: FIPS 180-4 and FIPS 202 list the approved ones; hashlib's documentation, `usedforsecurity`.
"""

from __future__ import annotations

import hashlib
import runpy
import sys
from typing import Any

_REFUSED = ("md5", "blake2b", "blake2s", "ripemd160", "sm3")
_new, _md5 = hashlib.new, hashlib.md5


def _check(name: str, usedforsecurity: bool) -> None:
    if name.lower() in _REFUSED and (usedforsecurity or name.lower() != "md5"):
        raise ValueError(f"[digital envelope routines] unsupported: {name}")


def new(name: str, *data: bytes, usedforsecurity: bool = True, **options: Any) -> Any:
    _check(name, usedforsecurity)
    return _new(name, *data, usedforsecurity=usedforsecurity, **options)


def _constructor(name: str) -> Any:
    def make(*data: bytes, usedforsecurity: bool = True, **_: Any) -> Any:
        _check(name, usedforsecurity)
        return _md5(*data, usedforsecurity=False)

    return make


hashlib.new = new
for refused in ("md5", "blake2b", "blake2s"):
    setattr(hashlib, refused, _constructor(refused))
# What hashlib would fall back to.
sys.modules["_blake2"] = None  # type: ignore[assignment]

if __name__ == "__main__":
    sys.argv = sys.argv[1:]
    runpy.run_path(sys.argv[0], run_name="__main__")
