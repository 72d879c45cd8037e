"""The real server reaches STS through an HTTPS proxy and through a SOCKS proxy."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import TYPE_CHECKING

import pytest

from dev.aws_double import AwsDouble
from dev.server import WebhookServer, write_config
from tests.authenticator.aws.fronts import Front
from tests.e2e import callers
from tests.e2e.callers import ALICE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextlib.contextmanager
def running(front: Front, scheme: str) -> Iterator[str]:
    """Run the proxy on an event loop in another thread; its URL."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    proxy = front.proxy(scheme)
    try:
        made = asyncio.run_coroutine_threadsafe(proxy.__aenter__(), loop).result(30)
        yield made.url
        asyncio.run_coroutine_threadsafe(proxy.__aexit__(None, None, None), loop).result(30)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@pytest.mark.parametrize("scheme", ["https", "socks5"])
def test_logins_through_a_proxy(tmp_path: Path, scheme: str) -> None:
    with AwsDouble(callers.PRINCIPALS) as aws:
        front = Front(aws, tmp_path)
        config = write_config(tmp_path, callers.configuration())
        with running(front, scheme) as url:
            environment = {"HTTPS_PROXY": url, "AWS_CA_BUNDLE": str(front.bundle)}
            with WebhookServer(config, environment) as server, server.poster() as poster:
                user = poster.review(callers.fresh_token(ALICE.principal)).user
        assert user is not None
        assert user["username"] == ALICE.username
        assert front.asked
        assert aws.calls.counts().total == 1
