"""Three control-plane nodes in networks of their own, with one etcd, and AWS on another network."""

from __future__ import annotations

import contextlib
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
import yaml

from dev import netns
from dev.aws_double import AwsDouble
from dev.cluster import Options, Webhook, binaries
from dev.cluster.apiserver import APIServer
from dev.cluster.etcd import Etcd
from dev.server import WebhookServer, write_config
from tests.e2e import callers
from tests.e2e.ha.nodes import Node

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# RFC 5737: for documentation, and so for nobody else.
_CLUSTER = "192.0.2"
_INTERNET = "198.51.100"
_NODES = ("a", "b", "c")
# Where a supervisor holds the server's sockets.
_HELD = "c"


@dataclass(frozen=True)
class Site:
    """What the nodes share.

    Attributes:
        cluster: the network of the nodes, etcd and the clients.
        internet: the network of the nodes and AWS.
        aws: AWS, on a host of its own.
        etcd_url: etcd, on a host of its own.
        ending: what ends with all of it, the last begun first.
    """

    cluster: netns.Network
    internet: netns.Network
    aws: AwsDouble
    etcd_url: str
    ending: contextlib.ExitStack


@pytest.fixture(scope="package")
def programs() -> binaries.Binaries:
    try:
        return binaries.find()
    except binaries.MissingBinariesError as error:
        pytest.fail(str(error), pytrace=False)


@pytest.fixture(scope="package")
def site(programs: binaries.Binaries, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with contextlib.ExitStack() as ending:
        try:
            cluster = ending.enter_context(netns.Network(_CLUSTER))
        except netns.NamespacesError as error:
            pytest.fail(str(error), pytrace=False)
        internet = ending.enter_context(netns.Network(_INTERNET))
        host = ending.enter_context(netns.Host())
        address = internet.plug_in(host)
        with host.entered():
            aws = ending.enter_context(AwsDouble(callers.PRINCIPALS, address=address))
        host = ending.enter_context(netns.Host())
        address = cluster.plug_in(host)
        with host.entered():
            etcd = Etcd(programs.etcd, tmp_path_factory.mktemp("store") / "etcd", address)
            ending.callback(etcd.close)
            etcd.start()
        yield Site(cluster, internet, aws, etcd.url, ending)


@pytest.fixture
def nodes(started_nodes: list[Node]) -> list[Node]:
    """The nodes, all running, whatever a test before has left undone."""
    for node in started_nodes:
        if not node.server.running:
            node.start_server()
    return started_nodes


@pytest.fixture(scope="package")
def started_nodes(
    site: Site, programs: binaries.Binaries, tmp_path_factory: pytest.TempPathFactory
) -> list[Node]:
    return [
        _start(name, site, programs, tmp_path_factory.mktemp(f"node-{name}")) for name in _NODES
    ]


def _start(name: str, site: Site, programs: binaries.Binaries, directory: Path) -> Node:
    host = site.ending.enter_context(netns.Host())
    address = site.cluster.plug_in(host)
    site.internet.plug_in(host)
    config = write_config(directory, callers.configuration())
    with host.entered():
        sockets = _listen(config, site.ending) if name == _HELD else []
        server = WebhookServer(config, site.aws.environment(), sockets=sockets)
        apiserver = APIServer(
            programs.kube_apiserver,
            directory / "apiserver",
            etcd_url=site.etcd_url,
            options=Options(Webhook(server.kubeconfig)),
            address=address,
        )
        node = Node(name, host, apiserver, server)
        site.ending.callback(node.close)
        server.start()
        apiserver.start()
    return node


def _listen(config: Path, ending: contextlib.ExitStack) -> list[socket.socket]:
    """Listen for the server, as its unit does."""
    port = yaml.safe_load(config.read_text())["server"]["port"]
    return [ending.enter_context(socket.create_server(("127.0.0.1", port)))]


@pytest.fixture(scope="package")
def clients_host(site: Site) -> netns.Host:
    host = site.ending.enter_context(netns.Host())
    site.cluster.plug_in(host)
    return host


@pytest.fixture
def among_clients(clients_host: netns.Host) -> Iterator[None]:
    """The test itself is on the clients' host."""
    with clients_host.entered():
        yield
