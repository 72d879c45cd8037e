"""What floods a server: many connections, forged tokens, hosts out of reach."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import resource
import socket
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from authenticator.aws.access_keys import account_in
from tests.e2e import callers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from typing_extensions import Self

    from dev.server import WebhookServer

# client-go, rest.Request: what an API server does after 429, 500 or 504.
_RETRY_SECONDS = (0.5, 0.75, 1.125, 1.69)
_FOREVER = 3600
GRANTED = "granted"


def allow_files(count: int) -> None:
    """Let this process open so many files."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert hard == resource.RLIM_INFINITY or hard >= count, f"the limit of open files is {hard}"
    resource.setrlimit(resource.RLIMIT_NOFILE, (count, hard))


def children(pid: int) -> list[int]:
    """The processes that another one started."""
    path = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(child) for child in path.read_text().split()]


def memory(pid: int) -> float:
    """The memory of a process and those that it started, MiB; shared pages are split."""
    total = 0
    for each in (pid, *children(pid)):
        text = Path(f"/proc/{each}/smaps_rollup").read_text()
        total += next(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:"))
    return total / 1024


def threads(pid: int) -> int:
    """How many threads a process and those that it started have."""
    return sum(len(list(Path(f"/proc/{each}/task").iterdir())) for each in (pid, *children(pid)))


def review(server: WebhookServer, token: str) -> str:
    """Post one review on a connection that is new; the username, `denied`, or the status."""
    with server.poster() as poster:
        answer = poster.review(token)
    if answer.status != 200:
        return str(answer.status)
    return str((answer.user or {"username": "denied"})["username"])


def as_api_server(server: WebhookServer, token: str) -> str:
    """Post one review as an API server does, with its retries."""
    outcome = review(server, token)
    for seconds in _RETRY_SECONDS:
        if outcome not in {"429", "500", "502", "504"}:
            break
        time.sleep(seconds)
        outcome = review(server, token)
    return outcome


def key_id(account: str, serial: int) -> str:
    """An access key id that names its account, as those of AWS do since 2019."""
    number = (int(account) << 7).to_bytes(6, "big") + serial.to_bytes(4, "big")
    made = "AKIA" + base64.b32encode(number).decode()
    assert account_in(made) == account
    return made


def forged(key: str, host: str, region: str, serial: int) -> str:
    """A well-formed token that nobody has signed."""
    credential = f"{key}/{{day}}/{region}/sts/aws4_request"
    url = f"https://{host}/?{{query_without_signature}}&X-Amz-Signature={serial:064x}"
    return callers.fresh_token(
        callers.ALICE.principal, url=url, set={"X-Amz-Credential": credential}
    )


@contextlib.contextmanager
def flood(
    server: WebhookServer, make: Callable[[int], str], *, connections: int, rate: float
) -> Iterator[Counter[str]]:
    """Post tokens while the block runs.

    Args:
        server: the server.
        make: makes the token of a number.
        connections: how many ask at once.
        rate: tokens a second, of all together; less if the server is slower.

    Yields:
        how many had each status so far, and how many of them were `GRANTED`.
    """
    outcomes: Counter[str] = Counter()
    over = threading.Event()

    def ask(first: int) -> None:
        began = time.monotonic()
        with server.poster() as poster:
            for number in range(first, _FOREVER * connections, connections):
                due = began + (number // connections) * connections / rate
                if over.wait(max(0.0, due - time.monotonic())):
                    return
                with contextlib.suppress(OSError):
                    answer = poster.review(make(number))
                    outcomes[str(answer.status)] += 1
                    if answer.status == HTTPStatus.OK and answer.user:
                        outcomes[GRANTED] += 1

    with ThreadPoolExecutor(connections) as pool:
        asking = [pool.submit(ask, first) for first in range(connections)]
        try:
            yield outcomes
        finally:
            over.set()
    for each in asking:
        each.result()


class BlackHole:
    """An HTTPS proxy that reaches one region, and never answers for another.

    Args:
        proxy: the URL of the proxy that reaches the region.
        region: the region.
    """

    def __init__(self, proxy: str, region: str) -> None:
        self._proxy = urlsplit(proxy)
        self._region = region
        self._loop = asyncio.new_event_loop()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self._thread = threading.Thread(target=self._loop.run_forever, name="black-hole")
        self.swallowed = 0

    def __enter__(self) -> Self:
        self._thread.start()
        serving = asyncio.start_server(self._serve, sock=self._listener)
        asyncio.run_coroutine_threadsafe(serving, self._loop).result()
        return self

    def __exit__(self, *_: object) -> None:
        async def stop() -> None:
            others = asyncio.all_tasks() - {asyncio.current_task()}
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)

        asyncio.run_coroutine_threadsafe(stop(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    @property
    def url(self) -> str:
        """The URL of this proxy."""
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError), contextlib.closing(writer):
            head = await reader.readuntil(b"\r\n\r\n")
            if self._region.encode() not in head.split(b"\r\n")[0]:
                self.swallowed += 1
                await reader.read()  # until the server gives up
                return
            onward = await asyncio.open_connection(self._proxy.hostname, self._proxy.port)
            with contextlib.closing(onward[1]):
                onward[1].write(head)
                await asyncio.gather(_pipe(reader, onward[1]), _pipe(onward[0], writer))


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()
