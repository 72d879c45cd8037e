"""Logins that all wait at once, in a process of their own, so that the test's own clock is fair.

python -m tests.e2e.crowd < JSON

Reads `{"kubeconfig": PATH, "tokens": [...]}` and writes one JSON object: how many reviews had each
outcome (`denied`, `granted`, or the HTTP status).
"""

from __future__ import annotations

import asyncio
import base64
import collections
import contextlib
import json
import os
import ssl
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urlsplit

import yaml

from tests.e2e import flooding

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

# As nice as can be: the server's workers and the test come first.
_NICE = 19
# Handshakes that the crowd makes at once.
_CONNECTING = 32


@contextlib.contextmanager
def waiting(kubeconfig: Path, tokens: Sequence[str]) -> Iterator[subprocess.Popen[str]]:
    """Post each token on a connection of its own, in another process, while the block runs."""
    command = [sys.executable, "-m", "tests.e2e.crowd"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdin is not None
            process.stdin.write(json.dumps({"kubeconfig": str(kubeconfig), "tokens": [*tokens]}))
            process.stdin.close()
            yield process
        finally:
            process.kill()


def outcomes(process: subprocess.Popen[str]) -> collections.Counter[str]:
    """Wait for the process's end and return how many had each outcome."""
    assert process.stdout is not None
    return collections.Counter(json.loads(process.stdout.read()))


async def _all(url: SplitResult, context: ssl.SSLContext, tokens: Sequence[str]) -> list[str]:
    connecting = asyncio.Semaphore(_CONNECTING)

    async def review(token: str) -> str:
        document = {
            "kind": "TokenReview",
            "apiVersion": "authentication.k8s.io/v1",
            "spec": {"token": token},
        }
        body = json.dumps(document).encode()
        head = (
            f"POST {url.path} HTTP/1.1\r\nHost: {url.netloc}\r\nConnection: close\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        async with connecting:
            reader, writer = await asyncio.open_connection(url.hostname, url.port, ssl=context)
        writer.write(head.encode() + body)
        answer = await reader.read()
        writer.close()
        status, _, rest = answer.partition(b"\r\n")
        if status.split()[1] != b"200":
            return status.split()[1].decode()
        granted = json.loads(rest.partition(b"\r\n\r\n")[2])["status"]["authenticated"]
        return "granted" if granted else "denied"

    return await asyncio.gather(*map(review, tokens))


def main() -> None:
    """Post what standard input says, and print the outcomes."""
    os.nice(_NICE)
    wanted = json.load(sys.stdin)
    flooding.allow_files(len(wanted["tokens"]) + 500)
    cluster = yaml.safe_load(Path(wanted["kubeconfig"]).read_text())["clusters"][0]["cluster"]
    authority = base64.b64decode(cluster["certificate-authority-data"]).decode()
    context = ssl.create_default_context(cadata=authority)
    seen = asyncio.run(_all(urlsplit(cluster["server"]), context, wanted["tokens"]))
    sys.stdout.write(json.dumps(collections.Counter(seen)))


if __name__ == "__main__":
    main()
