"""Real control planes, a server for them to ask, and AWS behind it.

Without the programs these tests fail; they are never skipped, lest a run without them look green.
"""

from __future__ import annotations

import contextlib
import functools
from typing import TYPE_CHECKING, Literal

import pytest

from dev.aws_double import AwsDouble
from dev.cluster import ControlPlane, Options, Webhook, binaries
from dev.server import WebhookServer, write_config
from tests.e2e import callers
from tests.e2e.attacks import Attack

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    StartControlPlane = Callable[[Options], ControlPlane]
    Version = Literal["v1", "v1beta1"]
    Planes = Callable[[Version], ControlPlane]


@contextlib.contextmanager
def _control_planes(directories: pytest.TempPathFactory) -> Iterator[StartControlPlane]:
    """Start control planes with the options given (3 s, 300 MB each); end them with the block."""
    try:
        programs = binaries.find()
    except binaries.MissingBinariesError as error:
        pytest.fail(str(error), pytrace=False)
    with contextlib.ExitStack() as running:

        def start(options: Options) -> ControlPlane:
            directory = directories.mktemp("control-plane")
            return running.enter_context(ControlPlane(programs, directory, options))

        yield start


@pytest.fixture(scope="module")
def start_control_plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartControlPlane]:
    """Start a control plane with the options given; it ends with the tests of the file.

    Each takes a tenth of a processor while it waits. Its API server may be told of a webhook that
    does not listen yet.
    """
    with _control_planes(tmp_path_factory) as start:
        yield start


@pytest.fixture
def attack(record_property: Callable[[str, object], None]) -> Attack:
    """What an attack reports for the table of `make attack`."""
    return Attack(record_property)


@pytest.fixture(scope="session")
def session_aws() -> Iterator[AwsDouble]:
    with AwsDouble(callers.PRINCIPALS, roles=[callers.DEPLOYER_ROLE]) as double:
        yield double


@pytest.fixture
def aws(session_aws: AwsDouble) -> Iterator[AwsDouble]:
    """AWS; what a test breaks of it is whole again for the next one."""
    yield session_aws
    session_aws.faults.stop_all()
    session_aws.issuer_faults.stop_all()


@pytest.fixture(scope="session")
def server(
    session_aws: AwsDouble, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[WebhookServer]:
    """The server that the control planes ask, with the mappings of `callers`."""
    config = write_config(tmp_path_factory.mktemp("server"), callers.configuration())
    environment = session_aws.environment()
    with WebhookServer(config, environment, arguments=("--log-format", "json")) as running:
        yield running


@pytest.fixture(scope="session")
def planes(tmp_path_factory: pytest.TempPathFactory, server: WebhookServer) -> Iterator[Planes]:
    """The control plane whose API server speaks one version of TokenReview, started when asked for.

    That of v1 remembers answers for 2 minutes, as API servers do unless told otherwise; that of
    v1beta1 remembers no denial.
    """
    with _control_planes(tmp_path_factory) as start_control_plane:

        @functools.cache
        def start(version: Version) -> ControlPlane:
            cache_ttl = "2m" if version == "v1" else "0s"
            return start_control_plane(Options(Webhook(server.kubeconfig, version, cache_ttl)))

        yield start


@pytest.fixture(params=["v1", "v1beta1"])
def version(request: pytest.FixtureRequest) -> Version:
    chosen: Version = request.param
    return chosen


@pytest.fixture
def plane(planes: Planes, version: Version) -> ControlPlane:
    """The control plane of each version in turn."""
    return planes(version)


@pytest.fixture
def plane_v1(planes: Planes) -> ControlPlane:
    return planes("v1")
