"""The real server reaches STS through an HTTPS proxy and through a SOCKS proxy."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import TYPE_CHECKING

import pytest

from dev.aws_double import AwsDouble
from dev.cluster import Options
from dev.server import WebhookServer, write_config
from tests.authenticator.aws.fronts import Front
from tests.e2e import callers
from tests.e2e.administrator import Administrator
from tests.e2e.callers import ALICE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.e2e.conftest import StartControlPlane


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


@pytest.mark.cluster
def test_the_api_server_on_loopback_is_reached_directly(
    tmp_path: Path, start_control_plane: StartControlPlane
) -> None:
    """HTTPS_PROXY without NO_PROXY sent it to the proxy, which Go never does."""
    plane = start_control_plane(Options())
    administrator = Administrator(plane)
    arn, username = ALICE.principal.arn, "of-the-cluster"
    administrator.write([], [{"userarn": arn, "username": username, "groups": []}])
    settings = {"kubeconfig": str(plane.admin_kubeconfig), "backendMode": ["EKSConfigMap"]}
    config = write_config(tmp_path, {"clusterID": callers.CLUSTER_ID, "server": settings})
    with AwsDouble(callers.PRINCIPALS) as aws:
        environment = {
            name: value for name, value in aws.environment().items() if name.upper() != "NO_PROXY"
        }
        with WebhookServer(config, environment) as server:
            server.wait_for_each_worker("EKSConfigMap has been read", 0)
            with server.poster() as poster:
                user = poster.review(callers.fresh_token(ALICE.principal)).user
    assert user is not None
    assert user["username"] == username


@pytest.mark.parametrize("listed", ["*.amazonaws.com", ".amazonaws.com", "amazonaws.com"])
def test_a_domain_that_is_reached_directly_goes_past_the_proxy(tmp_path: Path, listed: str) -> None:
    config = write_config(tmp_path, callers.configuration())
    with AwsDouble(callers.PRINCIPALS) as aws:
        environment = {**aws.environment(), "NO_PROXY": listed, "no_proxy": listed}
        with WebhookServer(config, environment) as server, server.poster() as poster:
            # There is no way to STS here but the proxy.
            assert poster.review(callers.fresh_token(ALICE.principal)).status == 504
        assert aws.calls.counts().total == 0
