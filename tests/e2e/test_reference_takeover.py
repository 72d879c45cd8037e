"""An upgrade from the reference and a downgrade to it, on one port, while people log in.

The reference lets go of its port when it ends, and nobody can listen beside it: for a moment nobody
listens, in which the API server answers 401. Outside of that moment nobody is refused.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from dev.aws_double import AwsDouble, Principal
from dev.bench.reference import reference_binary
from dev.cluster import Options, Webhook
from dev.server import WebhookServer, write_config
from dev.waiting import wait_until
from tests.e2e import callers
from tests.e2e.administrator import Administrator
from tests.e2e.logins import log_in, stream_of, user_info
from tests.oracle.cases import CALLERS

if TYPE_CHECKING:
    from collections.abc import Iterator

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


# Duplicates, twins of a path, and sections that are empty or cannot be read. A dead entry that came
# alive would raise its caller to system:masters.
_ROLE = "arn:aws:iam::111122223333:role"
AWS_AUTH = {
    "mapRoles": f"""\
- {{rolearn: {_ROLE}/admin, username: first, groups: ["system:masters"]}}
- {{rolearn: {_ROLE}/admin, username: second, groups: [viewers]}}
- {{rolearn: {_ROLE}/team/Dev, username: old, groups: ["system:masters"]}}
- {{rolearn: {_ROLE}/Dev, username: now, groups: [viewers]}}
---
- {{rolearn: {_ROLE}/Dev, username: not-read, groups: ["system:masters"]}}
""",
    "mapUsers": '""',
    "mapAccounts": "- [",
    "mapusers": '- {userarn: "arn:aws:iam::111122223333:user/alice", username: alice}',
}
OBJECTS = {
    "a": {"arn": f"{_ROLE}/node", "username": "now", "groups": ["viewers"]},
    "b": {"arn": f"{_ROLE}/team/node", "username": "old", "groups": ["system:masters"]},
}
CONFIG_FILE = {
    "mapUsers": [
        {"userarn": "arn:aws:iam::111122223333:user/Bob", "username": "first", "groups": ["a"]},
        {"userarn": "arn:aws:iam::111122223333:user/bob", "username": "second", "groups": ["b"]},
    ],
    "mapAccounts": ["444455556666"],
}
GRANTED = {
    "admin": ("second", ["viewers"]),
    "dev": ("now", ["viewers"]),
    "node": ("now", ["viewers"]),
    "bob": ("second", ["b"]),
    "guest": ("arn:aws:iam::444455556666:role/admin", []),
}
DENIED = {"alice", "zero", "root"}


def test_no_caller_gains_or_loses_anything_at_a_switch(
    start_control_plane: StartControlPlane, tmp_path: Path
) -> None:
    """Each caller is one user, uid and extra included, from the first login to the last."""
    principals = {name: _principal(name) for name in (*GRANTED, *DENIED)}
    with AwsDouble(principals.values()) as aws, contextlib.ExitStack() as ending:
        config = write_config(tmp_path, {"clusterID": callers.CLUSTER_ID, "server": CONFIG_FILE})
        # For the certificate and the webhook kubeconfig, which the API server wants to see.
        with WebhookServer(config, aws.environment()) as first:
            plane = start_control_plane(Options(Webhook(first.kubeconfig)))
        _write_mappings(Administrator(plane))
        modes = "--backend-mode=MountedFile,EKSConfigMap,CRD"
        flags = (modes, f"--kubeconfig={plane.admin_kubeconfig}", "--kubeconfig-pregenerated")
        reference = WebhookServer(
            config, aws.environment(), command=reference_binary(), arguments=flags
        )
        ours = WebhookServer(config, aws.environment(), arguments=flags)
        ending.callback(ours.kill)
        ending.callback(reference.kill)
        _start(reference, principals)
        moments = Moments()
        names = itertools.cycle(principals)

        def log_in_in_turn() -> tuple[str, str]:
            name, before = next(names), moments.number
            status, user = user_info(plane, callers.fresh_token(principals[name]))
            if before % 2 or moments.number != before:
                return name, "nobody listened"
            return name, json.dumps(user, sort_keys=True) if status == 201 else str(status)

        with stream_of(log_in_in_turn) as stream:
            stream.wait_for_more(80)
            with moments.one():
                reference.kill()
                _start(ours, principals)
            stream.wait_for_more(80)
            with moments.one():
                ours.signal(signal.SIGTERM)
                ours.wait_until_ended()
                _start(reference, principals)
            stream.wait_for_more(80)
    outcomes = {outcome for outcome in stream.outcomes if outcome[1] != "nobody listened"}
    assert {outcome for outcome in outcomes if outcome[0] in DENIED} == {(n, "401") for n in DENIED}
    users = [(name, json.loads(text)) for name, text in outcomes if name in GRANTED]
    assert len(users) == len(GRANTED), users
    for name, user in users:
        username, groups = GRANTED[name]
        assert user["username"] == username
        assert user["groups"] == [*groups, "system:authenticated"]


def _principal(name: str) -> Principal:
    caller = CALLERS[name]
    return Principal(caller.arn, caller.user_id, caller.access_key_id, "a secret of the double")


def _write_mappings(administrator: Administrator) -> None:
    administrator.install_crd()
    administrator.apply(
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "aws-auth", "namespace": "kube-system"},
            "data": AWS_AUTH,
        }
    )
    for name, spec in OBJECTS.items():
        administrator.map(name, **spec)


def _start(server: WebhookServer, principals: dict[str, Principal]) -> None:
    """Start a server and wait until it has read all of its sources."""
    server.start()

    def unknown() -> list[str]:
        with server.poster() as poster:
            answers = {n: poster.review(callers.fresh_token(principals[n])).body for n in GRANTED}
        return [name for name, body in answers.items() if b'"authenticated":true' not in body]

    # Several connections, since each worker of ours reads for itself.
    wait_until(
        lambda: not any(unknown() for _ in range(8)),
        lambda: f"{unknown()} are not known; {server.log.tail}",
    )
