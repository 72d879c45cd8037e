"""An upgrade from the reference and a downgrade to it, on one port, while people log in.

The reference lets go of its port when it ends, and nobody can listen beside it: for a moment nobody
listens, in which the API server answers 401. Outside of that moment nobody is refused.
"""

from __future__ import annotations

import contextlib
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from dev.bench.reference import reference_binary
from dev.cluster import Options, Webhook
from dev.server import WebhookServer, write_config
from tests.e2e import callers
from tests.e2e.logins import log_in, stream_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dev.aws_double import AwsDouble
    from tests.e2e.conftest import StartControlPlane

# The first use builds the reference, in 2 minutes.
pytestmark = [pytest.mark.cluster, pytest.mark.reference, pytest.mark.timeout(600)]

STATE = ("state/cert.pem", "state/key.pem")


class Moments:
    """The moments in which nobody listens.

    Attributes:
        number: goes up when one begins and when one ends, so that it is odd during one.
    """

    def __init__(self) -> None:
        self.number = 0

    @contextlib.contextmanager
    def one(self) -> Iterator[None]:
        self.number += 1
        yield
        self.number += 1


def test_reference_to_ours_and_back(
    start_control_plane: StartControlPlane, session_aws: AwsDouble, tmp_path: Path
) -> None:
    configuration = callers.configuration()
    # The reference knows neither permission sets nor the paths of roles.
    configuration["server"]["mapRoles"] = []
    config = write_config(tmp_path, configuration)
    environment = session_aws.environment()
    reference = WebhookServer(config, environment, command=reference_binary())
    ours = WebhookServer(config, environment)
    moments = Moments()
    with contextlib.ExitStack() as ending:
        ending.callback(ours.kill)
        ending.enter_context(reference)
        plane = start_control_plane(Options(Webhook(reference.kubeconfig)))
        issued = {name: (tmp_path / name).read_bytes() for name in STATE}

        def log_in_of_the_crowd() -> str:
            before = moments.number
            status = log_in(plane, callers.token_of_the_crowd())
            if status == 201:
                return "granted"
            in_one = before % 2 or moments.number != before
            return "nobody listened" if in_one else f"refused: {status}"

        with stream_of(log_in_of_the_crowd) as stream:
            stream.wait_for_more()
            with moments.one():
                reference.kill()  # which is the one signal that ends it at once
                ours.start()
            stream.wait_for_more()
            with moments.one():
                ours.signal(signal.SIGTERM)
                ours.wait_until_ended()
                reference.start()
            stream.wait_for_more()
        assert {name: (tmp_path / name).read_bytes() for name in STATE} == issued
    assert set(stream.outcomes) <= {"granted", "nobody listened"}, stream.outcomes
    assert stream.outcomes["granted"] >= 100
