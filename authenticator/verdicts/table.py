"""Memory that the workers of one host share: a table of short entries by 32-byte key.

It is anonymous memory, mapped before the workers are forked: nobody else can open it, it needs no
file, and it ends with the server. No lock is held while it is read or written, so that a worker
that is killed can block nobody. Instead each entry carries a MAC by a key that only the server's
processes know: an entry that was torn by two writers, damaged or planted reads as absent
(docs/adr/0005-shared-verdicts.md).
"""

from __future__ import annotations

import hmac
import mmap
import secrets
import struct

KEY_BYTES = 32
# key, MAC, the time until which the entry is kept, the payload's length
_HEAD = struct.Struct("<32s16sdH")
_WAYS = 4
_MAC_BYTES = 16


class SharedTable:
    """A bounded table, in which newer entries displace those that end first.

    Args:
        slots: how many entries it can hold, a multiple of 4.
        slot_bytes: the memory for each.
    """

    def __init__(self, slots: int = 16384, slot_bytes: int = 1024) -> None:
        self._sets = slots // _WAYS
        self._slot_bytes = slot_bytes
        self._memory = mmap.mmap(-1, slots * slot_bytes)
        self._secret = secrets.token_bytes(32)

    def get(self, key: bytes, now: float) -> bytes | None:
        """The payload that was put under `key`, unless it has ended or been displaced.

        Args:
            key: 32 bytes, evenly distributed (a hash).
            now: Unix seconds.
        """
        for offset in self._places(key):
            if self._memory[offset : offset + KEY_BYTES] == key:
                return self._read(offset, key, now)
        return None

    def put(self, key: bytes, payload: bytes, *, keep_until: float, now: float) -> None:
        """Put `payload` under `key`; one that is too long for a slot is not kept.

        Args:
            key: as in `get`.
            payload: the entry.
            keep_until: Unix seconds.
            now: Unix seconds.
        """
        if _HEAD.size + len(payload) > self._slot_bytes:
            return
        offset = self._place_for(key, now)
        mac = self._mac(key, keep_until, payload)
        record = _HEAD.pack(key, mac, keep_until, len(payload)) + payload
        self._memory[offset : offset + len(record)] = record

    def delete(self, key: bytes) -> None:
        """Remove the entry under `key`, if there is one."""
        for offset in self._places(key):
            if self._memory[offset : offset + KEY_BYTES] == key:
                self._memory[offset : offset + KEY_BYTES] = bytes(KEY_BYTES)

    def _places(self, key: bytes) -> range:
        first = int.from_bytes(key[:8], "little") % self._sets * _WAYS * self._slot_bytes
        return range(first, first + _WAYS * self._slot_bytes, self._slot_bytes)

    def _place_for(self, key: bytes, now: float) -> int:
        ends: list[tuple[float, int]] = []
        for offset in self._places(key):
            held, _, keep_until, _ = _HEAD.unpack_from(self._memory, offset)
            if held == key:
                return offset
            # Damage could make anything of the time; what has ended may go first. NaN has ended.
            ends.append((keep_until if keep_until > now else 0.0, offset))
        return min(ends)[1]

    def _read(self, offset: int, key: bytes, now: float) -> bytes | None:
        _, mac, keep_until, length = _HEAD.unpack_from(self._memory, offset)
        start = offset + _HEAD.size
        payload = self._memory[start : min(start + length, offset + self._slot_bytes)]
        if not secrets.compare_digest(mac, self._mac(key, keep_until, payload)):
            return None
        return payload if now < keep_until else None

    def _mac(self, key: bytes, keep_until: float, payload: bytes) -> bytes:
        text = key + struct.pack("<d", keep_until) + payload
        # BLAKE2 would be faster, but a Python built for FIPS 140 refuses it.
        return hmac.digest(self._secret, text, "sha256")[:_MAC_BYTES]
