"""The server's rights in the cluster: enough for all that it does, and none that it does not use.

The API server's audit log says what the server asked for. That set must equal what the manifests
grant, so that a verb too many fails here as surely as one too few. What each verb is for is shown
besides, by taking it away.
"""

from __future__ import annotations

import json
import signal
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import pytest
import yaml

from authenticator.sources.mappings import Mappings, SourceOptions
from dev.cluster import Options
from dev.ports import free_port
from dev.server import WebhookServer, write_config
from tests.e2e import callers
from tests.e2e.manifests import BASE, only, render
from tests.e2e.rights import Installed, Right, granted

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from dev.aws_double import AwsDouble
    from tests.e2e.administrator import Administrator
    from tests.e2e.conftest import StartControlPlane

pytestmark = pytest.mark.cluster

_GROUP = "iamauthenticator.k8s.aws"


@pytest.fixture(scope="module")
def installed(start_control_plane: StartControlPlane) -> Installed:
    return Installed(start_control_plane(Options()))


def test_the_server_does_all_that_it_should_and_uses_every_right(
    installed: Installed, aws: AwsDouble, tmp_path: Path
) -> None:
    since = len(installed.plane.audit_events())
    kubeconfig = tmp_path / "cluster.kubeconfig"
    kubeconfig.write_bytes(installed.kubeconfig.read_bytes())
    settings = yaml.safe_load(only(render(BASE), "ConfigMap")["data"]["config.yaml"])
    settings["clusterID"] = callers.CLUSTER_ID
    settings["server"]["kubeconfig"] = str(kubeconfig)
    with WebhookServer(write_config(tmp_path, settings), aws.environment()) as server:
        _edits_take_effect(installed.administrator, server)
        _faults_are_told(installed.administrator)
        _the_last_good_mappings_survive_a_restart(server, kubeconfig)

    asked = installed.asked(since)
    assert {decision for _, decision in asked} == {"allow"}
    uncovered = {one for one, _ in asked if not any(right.covers(one) for right in granted())}
    unused = {right for right in granted() if not any(right.covers(one) for one, _ in asked)}
    assert (uncovered, unused) == (set(), set())


def _is_known_as(server: WebhookServer, username: str | None) -> bool:
    with server.poster() as poster:
        user = poster.review(callers.fresh_token(callers.NEWCOMER)).user
    return (user and user["username"]) == username


def _edits_take_effect(administrator: Administrator, server: WebhookServer) -> None:
    arn = callers.NEWCOMER.arn
    for username in ("first", "second"):
        administrator.write([], [{"userarn": arn, "username": username}])
        administrator.wait_for(partial(_is_known_as, server, username))
    administrator.write([])
    administrator.wait_for(partial(_is_known_as, server, None))
    for username in ("third", "fourth"):
        administrator.map("newcomer", arn=arn, username=username)
        administrator.wait_for(partial(_is_known_as, server, username))


def _faults_are_told(administrator: Administrator) -> None:
    administrator.write([{"rolearn": "nonsense"}])
    administrator.map("bad", arn="nonsense", username="bad")
    administrator.wait_for(lambda: bool(administrator.events("ConfigMap")))
    administrator.wait_for(lambda: bool(administrator.events("IAMIdentityMapping")))
    administrator.wait_for(lambda: _validity(administrator, "bad") == ["False"])
    administrator.wait_for(lambda: _validity(administrator, "newcomer") == ["True"])


def _validity(administrator: Administrator, name: str) -> list[str]:
    status = administrator.get("iamidentitymapping", name).get("status", {})
    return [condition["status"] for condition in status.get("conditions", [])]


def _the_last_good_mappings_survive_a_restart(server: WebhookServer, kubeconfig: Path) -> None:
    document = json.loads(kubeconfig.read_text())
    document["clusters"][0]["cluster"]["server"] = f"https://127.0.0.1:{free_port()}"
    server.signal(signal.SIGTERM)
    server.wait_until_ended()
    kubeconfig.write_text(json.dumps(document))
    server.start()
    assert _is_known_as(server, "fourth")


@dataclass
class Seen:
    """What an administrator can see of one worker, in its log, its readiness and its metrics."""

    mappings: Mappings
    log: pytest.LogCaptureFixture
    failures: list[str] = field(default_factory=list)

    def unread(self, source: str) -> bool:
        states = {state.name: state for state in self.mappings.status().sources}
        faults = [str(fault) for fault in states[source].faults]
        return not states[source].synced and any("403" in fault for fault in faults)

    def unwatched(self, source: str) -> bool:
        return not self.unread(source) and source in self.failures

    def untold(self, what: str) -> bool:
        return any(what in line and "403" in line for line in self.log.messages)


@dataclass
class _Counted:
    """`SourceMetrics` that remembers whose lists and watches failed."""

    failures: list[str] = field(default_factory=list)

    def failed(self, source: str) -> None:
        self.failures.append(source)

    def applied(self, source: str, seconds: float) -> None:
        pass

    def emptied(self, source: str, section: str) -> None:
        pass


_SYMPTOMS: dict[Right, Callable[[Seen], bool]] = {
    Right("kube-system", "list", "", "configmaps", "aws-auth"): lambda seen: seen.unread(
        "EKSConfigMap"
    ),
    Right("kube-system", "watch", "", "configmaps", "aws-auth"): lambda seen: seen.unwatched(
        "EKSConfigMap"
    ),
    Right("kube-system", "create", "", "events"): lambda seen: seen.untold("Event on ConfigMap"),
    Right("", "list", _GROUP, "iamidentitymappings"): lambda seen: seen.unread("CRD"),
    Right("", "watch", _GROUP, "iamidentitymappings"): lambda seen: seen.unwatched("CRD"),
    Right("", "patch", _GROUP, "iamidentitymappings/status"): lambda seen: seen.untold("status of"),
    Right("default", "create", "", "events"): lambda seen: seen.untold("Event on IAMIdentityM"),
}


def test_of_each_right_it_is_known_what_fails_without_it() -> None:
    assert _SYMPTOMS.keys() == granted().keys()


@pytest.mark.parametrize("right", _SYMPTOMS, ids=str)
def test_without_a_right_something_fails_and_nothing_else_does(
    installed: Installed, tmp_path: Path, caplog: pytest.LogCaptureFixture, right: Right
) -> None:
    administrator = installed.administrator
    # Told anew, since what has been told once is not told again.
    administrator.write([{"rolearn": f"nonsense without {right}"}])
    administrator.map("bad", arn=f"nonsense without {right}", username="bad")
    counted = _Counted()
    options = SourceOptions(
        modes=("EKSConfigMap", "CRD"), state_dir=tmp_path, kubeconfig=installed.kubeconfig
    )
    mappings = Mappings(options, metrics=counted)
    seen = Seen(mappings, caplog, counted.failures)
    with installed.without(right):
        mappings.start()
        try:
            administrator.wait_for(lambda: _SYMPTOMS[right](seen))
        finally:
            mappings.stop()
    assert [one for one, symptom in _SYMPTOMS.items() if symptom(seen)] == [right]
