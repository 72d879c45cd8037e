"""What the running server promises of mappings: faults are seen, and lock nobody out."""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e import callers
from tests.e2e.callers import ALICE, CROWD, DEPLOYER
from tests.e2e.following import Cluster, following

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dev.aws_double import AwsDouble
    from tests.e2e.conftest import StartControlPlane

pytestmark = pytest.mark.cluster

CREATOR, LISTED, RESCUER = CROWD[:3]

DEPLOYER_ENTRY = """\
- rolearn: arn:aws:iam::111122223333:role/deployer
  username: deployer
"""
FAULTS = {
    "a-section-that-does-not-parse": (
        DEPLOYER_ENTRY + "- rolearn: [\n",
        "EKSConfigMap mapRoles, line 4 (not in force): ",
    ),
    "an-entry-that-cannot-be-used": (
        DEPLOYER_ENTRY + "- rolearn: arn:aws:iam::1111:role/x\n  username: x\n",
        "EKSConfigMap mapRoles[1], line 3 (not in force): rolearn: ",
    ),
}


def user_entry(principal: Any, *groups: str) -> dict[str, object]:
    return {"userarn": principal.arn, "username": "mapped", "groups": groups}


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("guarantees")


@pytest.fixture(scope="module")
def break_glass(directory: Path) -> Path:
    return directory / "break-glass.json"


@pytest.fixture(scope="module")
def cluster(
    start_control_plane: StartControlPlane,
    session_aws: AwsDouble,
    directory: Path,
    break_glass: Path,
) -> Iterator[Cluster]:
    settings = {
        "backendMode": ["EKSConfigMap", "MountedFile"],
        "bootstrapAdministrators": [CREATOR.arn],
        "breakGlassPath": str(break_glass),
        "systemNameSources": ["MountedFile"],
        "mapUsers": [user_entry(LISTED, "system:masters")],
    }
    environment = session_aws.environment()
    with following(start_control_plane, directory, environment, settings) as running:
        yield running


@pytest.fixture(autouse=True)
def mapped(cluster: Cluster) -> None:
    """The deployer and alice are mapped in aws-auth, and nothing is wrong with it."""
    cluster.administrator.write(DEPLOYER_ENTRY, [user_entry(ALICE.principal)])
    cluster.server.poll_until(
        lambda: faults(cluster) == ([], []) and cluster.log_in(ALICE.principal) == 201,
        "it does not take the mappings of aws-auth",
    )


def faults(cluster: Cluster) -> tuple[list[str], list[str]]:
    """The faults of aws-auth in the readiness detail, over TLS and on the health port."""
    with cluster.server.poster() as poster:
        secure = poster.get("/readyz").body
    url = f"http://127.0.0.1:{cluster.server.health_port}/readyz"
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url) as response:
        plain = response.read()
    return _faults(secure), _faults(plain)


def _faults(detail: bytes) -> list[str]:
    found: list[str] = json.loads(detail)["sources"][0]["faults"]
    return found


def metric(cluster: Cluster) -> str:
    """How many faults of aws-auth the metrics count."""
    with cluster.server.poster() as poster:
        lines = poster.get("/metrics").body.decode().splitlines()
    name = 'aws_iam_authenticator_mapping_faults{source="EKSConfigMap"} '
    (value,) = [line.removeprefix(name) for line in lines if line.startswith(name)]
    return value


@pytest.mark.parametrize(("map_roles", "place"), FAULTS.values(), ids=FAULTS)
def test_a_fault_locks_nobody_out_and_is_seen_in_all_four_places(
    cluster: Cluster, map_roles: str, place: str
) -> None:
    server, administrator = cluster.server, cluster.administrator
    since = server.log.end
    administrator.write(map_roles, [user_entry(ALICE.principal)])
    server.wait_for_each_worker(place, since)
    assert cluster.log_in(DEPLOYER.principal) == 201
    assert cluster.log_in(ALICE.principal) == 201

    (line,) = server.log.wait_for(lambda one: one if place in one else None, since=since)
    fault = json.loads(line)["msg"]
    assert fault.startswith(place)
    assert fault != place, "it gives no reason"
    assert faults(cluster) == ([fault], [fault])
    administrator.wait_for(lambda: metric(cluster) == "1.0")
    administrator.wait_for(lambda: fault in administrator.events("ConfigMap"))

    administrator.write(DEPLOYER_ENTRY, [user_entry(ALICE.principal)])
    server.wait_for_each_worker("EKSConfigMap has no more problems", since)
    assert faults(cluster) == ([], [])
    administrator.wait_for(lambda: metric(cluster) == "0.0")


@pytest.mark.parametrize("disaster", ["deleted", "broken"])
def test_the_break_glass_file_lets_in_when_aws_auth_is(
    cluster: Cluster, break_glass: Path, disaster: str
) -> None:
    server, administrator = cluster.server, cluster.administrator
    since = server.log.end
    administrator.delete_config_map()
    server.wait_for_each_worker("EKSConfigMap has changed: now 0 mappings", since)
    if disaster == "broken":
        administrator.write("- rolearn: [")
        server.wait_for_each_worker("EKSConfigMap mapRoles, line", since)
    assert cluster.log_in(ALICE.principal) == 401
    assert cluster.log_in(RESCUER) == 401

    break_glass.write_text(json.dumps({"mapUsers": [user_entry(RESCUER, "system:masters")]}))
    server.wait_for_each_worker("BreakGlass has changed: now 1 mappings", since)
    assert cluster.log_in(RESCUER) == 201
    assert cluster.groups(RESCUER) == ["system:masters"]
    break_glass.unlink()
    server.wait_for_each_worker("BreakGlass has changed: now 0 mappings", since)
    assert cluster.log_in(RESCUER) == 401


def test_system_masters_comes_only_from_the_sources_listed_for_it(cluster: Cluster) -> None:
    assert cluster.groups(LISTED) == ["system:masters"]
    since = cluster.server.log.end
    cluster.administrator.write("", [user_entry(ALICE.principal, "readers", "system:masters")])
    cluster.server.wait_for_each_worker("EKSConfigMap mapUsers[0], line 1 (not in force)", since)
    assert cluster.groups(ALICE.principal) is None


def test_a_bootstrap_administrator_stays_one_whatever_a_source_says(cluster: Cluster) -> None:
    since = cluster.server.log.end
    cluster.administrator.write("", [user_entry(CREATOR, "readers")])
    cluster.server.wait_for_each_worker("EKSConfigMap has changed: now 1 mappings", since)
    assert cluster.groups(CREATOR) == ["system:masters"]
    assert cluster.log_in(callers.STRANGER) == 401
