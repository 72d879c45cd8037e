"""Connecting to the first address of a host that answers.

Source: RFC 8305, "Happy Eyeballs Version 2".
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections import deque
from collections.abc import Sequence

from authenticator.aws.deadline import Deadline
from authenticator.aws.dns import Address

# RFC 8305, section 5: "Connection Attempt Delay".
_NEXT_ADDRESS_SECONDS = 0.25


async def connect(addresses: Sequence[Address], deadline: Deadline) -> socket.socket:
    """Connect to the first address that answers; a slow one does not hold up the next.

    Source: RFC 8305, "Happy Eyeballs".

    Raises:
        TimeoutError: none answered in time.
        OSError: none can be connected to.
    """
    loop = asyncio.get_running_loop()
    remaining = deque(_interleaved(addresses))
    attempts: set[asyncio.Task[socket.socket]] = set()
    connected: socket.socket | None = None
    failure = OSError(0, "it has no address")
    try:
        while connected is None and (remaining or attempts):
            if remaining:
                attempts.add(loop.create_task(_connect(remaining.popleft())))
            wait = (
                min(_NEXT_ADDRESS_SECONDS, deadline.remaining) if remaining else deadline.remaining
            )
            done, _ = await asyncio.wait(
                attempts, timeout=wait, return_when=asyncio.FIRST_COMPLETED
            )
            for attempt in done:
                error = attempt.exception()
                if error is None and connected is None:
                    connected = attempt.result()
                    attempts.remove(attempt)
                elif isinstance(error, OSError):
                    failure = error
                    attempts.remove(attempt)
            if connected is None and not deadline.remaining:
                raise TimeoutError
    finally:
        for attempt in attempts:
            attempt.cancel()
            attempt.add_done_callback(_close_result)
    if connected is None:
        raise failure
    return connected


async def _connect(to: Address) -> socket.socket:
    family, address = to
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await asyncio.get_running_loop().sock_connect(sock, address)
    except OSError as error:  # asyncio's text holds the address and not the reason
        sock.close()
        raise OSError(error.errno, os.strerror(error.errno or 0)) from error
    except BaseException:
        sock.close()
        raise
    return sock


def _interleaved(addresses: Sequence[Address]) -> list[Address]:
    """Alternate between the families, beginning with the preferred one (RFC 8305, section 4)."""
    preferred = [to for to in addresses if to[0] == addresses[0][0]]
    others = [to for to in addresses if to[0] != addresses[0][0]]
    paired = [to for pair in zip(preferred, others, strict=False) for to in pair]
    longer = max(preferred, others, key=len)
    return paired + longer[min(len(preferred), len(others)) :]


def _close_result(attempt: asyncio.Task[socket.socket]) -> None:
    if not attempt.cancelled() and attempt.exception() is None:
        attempt.result().close()
