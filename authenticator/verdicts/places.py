"""How many reviews may wait for STS at once in one worker: a bound on memory, shared fairly."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from authenticator.verdicts.budget import Standing

# Each costs some 20 KiB with its connection.
MOST = {
    Standing.PROVEN: 512,
    Standing.KNOWN: 512,
    Standing.ACCOUNT: 256,
    Standing.STRANGER: 512,
    Standing.BUSY: 256,
}
# Calls of strangers under way at a host that has answered last, and at one that has not.
_WIDE, _NARROW = 96, 2


class Places:
    """The places of each standing.

    Args:
        most: how many there are.
    """

    def __init__(self, most: Mapping[Standing, int] = MOST) -> None:
        self._most = most
        self._taken: Counter[Standing] = Counter()

    def enter(self, standing: Standing) -> bool:
        """Take a place; False if there is none. Who entered must `leave`."""
        if self._taken[standing] >= self._most[standing]:
            return False
        self._taken[standing] += 1
        return True

    def leave(self, standing: Standing) -> None:
        """Give the place back."""
        self._taken[standing] -= 1

    def are_scarce(self, standing: Standing) -> bool:
        """Whether more than half are taken."""
        return self._taken[standing] * 2 > self._most[standing]

    @property
    def taken(self) -> int:
        """How many reviews wait, in all."""
        return sum(self._taken.values())


@dataclass(slots=True)
class _Host:
    width: int = _NARROW
    under_way: int = 0
    waiting: deque[asyncio.Future[None]] = field(default_factory=deque)


class HostPlaces:
    """How many calls strangers may have under way at each host.

    A token can name any of some 150 hosts, and some may be out of reach for this server. Strangers
    may have few calls at a host until it answers, so that the hosts that do not answer take neither
    the budget nor the places from the one that does.
    """

    def __init__(self) -> None:
        self._hosts: dict[str, _Host] = {}

    async def enter(self, name: str, patience: float) -> bool:
        """Take a place at a host, waiting for `patience` seconds at most; False if there is none.

        Who entered must `leave`.
        """
        host = self._hosts.setdefault(name, _Host())
        if host.under_way < host.width:
            host.under_way += 1
            return True
        if patience <= 0:
            return False
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        host.waiting.append(turn)
        try:
            await asyncio.wait((turn,), timeout=patience)
        except BaseException:
            if turn.done():
                self.leave(name)
            raise
        finally:
            if not turn.done():
                turn.cancel()
        return not turn.cancelled()

    def leave(self, name: str) -> None:
        """Give a place at a host back."""
        host = self._hosts[name]
        host.under_way -= 1
        self._admit(host)

    def answered(self, name: str) -> None:
        """Let more calls of strangers be under way: the host answers."""
        host = self._hosts.setdefault(name, _Host())
        host.width = _WIDE
        self._admit(host)

    def failed(self, name: str) -> None:
        """Let few calls of strangers be under way: the host does not answer."""
        if host := self._hosts.get(name):
            host.width = _NARROW

    @staticmethod
    def _admit(host: _Host) -> None:
        while host.waiting and host.under_way < host.width:
            turn = host.waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                host.under_way += 1
