"""The mappings that `explain` asks are the server's, and asking changes nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from authenticator.admin.in_force import of_cluster, of_server
from authenticator.config import load
from authenticator.sources.cluster import ClusterError, Object, Watch
from authenticator.sources.mappings import Mappings, SourceOptions
from authenticator.sources.options import source_options
from tests.authenticator.mapping.callers import role
from tests.authenticator.sources.doubles import FakeCluster

ENTRY = {"rolearn": "arn:aws:iam::111122223333:role/Dev", "username": "dev"}
CONFIG = {"clusterID": "c", "server": {"mapRoles": [{**ENTRY, "username": "mounted"}]}}


@pytest.fixture
def options(tmp_path: Path) -> SourceOptions:
    (tmp_path / "state").mkdir()
    config = tmp_path / "config.yaml"
    config.write_text(json.dumps(CONFIG))
    flags = {"backend_mode": "EKSConfigMap,MountedFile", "state_dir": str(tmp_path / "state")}
    return source_options(load(flags, {}, config).settings, config)


def cluster_with(*entries: object) -> FakeCluster:
    cluster = FakeCluster()
    cluster.put("aws-auth", data={"mapRoles": json.dumps(entries)})
    return cluster


def kept(options: SourceOptions) -> dict[str, tuple[bytes, int]]:
    files = options.state_dir.iterdir()
    return {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in files}


def test_it_is_what_a_server_has_in_force(options: SourceOptions) -> None:
    found = of_server(options, cluster_with(ENTRY))
    assert [(s.name, s.synced) for s in found.status.sources] == [
        ("EKSConfigMap", True),
        ("MountedFile", True),
    ]
    match = found.rules.find(role("Dev"), 0)
    assert match is not None
    assert match.origin.source == "EKSConfigMap"


def test_nothing_is_written_to_the_state_directory_or_the_cluster(options: SourceOptions) -> None:
    cluster = cluster_with(ENTRY, {"rolearn": "a mistake"})
    found = of_server(options, cluster)
    assert found.status.sources[0].faults
    assert kept(options) == {}
    assert cluster.written == []


def test_while_the_api_server_is_away_it_is_what_the_server_kept(options: SourceOptions) -> None:
    server = Mappings(options, cluster=cluster_with(ENTRY))
    server.start()
    server.stop()
    before = kept(options)
    away = FakeCluster()
    away.refuse = ClusterError(0, "it cannot be reached")
    found = of_server(options, away)
    state = found.status.sources[0]
    assert (state.synced, state.stale_since is not None) == (False, True)
    assert "it cannot be reached" in str(state.problems)
    assert found.rules.find(role("Dev"), 0) is not None
    assert kept(options) == before


def test_a_cluster_is_read_without_the_servers_files(options: SourceOptions) -> None:
    found = of_cluster(options, FakeCluster())
    assert [state.name for state in found.status.sources] == ["EKSConfigMap", "CRD"]
    assert found.rules.find(role("Dev"), 0) is None


def test_the_last_good_mappings_of_this_host_are_not_those_of_any_cluster(
    options: SourceOptions,
) -> None:
    server = Mappings(options, cluster=cluster_with(ENTRY))
    server.start()
    server.stop()
    away = FakeCluster()
    away.refuse = ClusterError(0, "it cannot be reached")
    found = of_cluster(options, away)
    assert found.rules.find(role("Dev"), 0) is None
    assert len(found.unread) == 2


def test_a_source_that_cannot_be_read_is_named(options: SourceOptions) -> None:
    """With only `get` on aws-auth, a source was NOT READ, and the caller DENIED all the same."""
    forbidden = FakeCluster()
    forbidden.refuse = ClusterError(403, "you may not list it")
    unread = of_cluster(options, forbidden).unread
    assert [reason.partition(" ")[0] for reason in unread] == ["EKSConfigMap", "CRD"]
    assert all("you may not list it" in reason for reason in unread)
    broken = FakeCluster()
    broken.put("aws-auth", data={"mapRoles": "{}"})
    (reason,) = of_server(options, broken).unread
    assert "mapRoles" in reason
    assert "it must be a list" in reason


def test_what_takes_no_part_is_named(options: SourceOptions) -> None:
    of_a_server = of_server(options, cluster_with(ENTRY))
    assert of_a_server.sources == ("EKSConfigMap: 1 mapping", "MountedFile: 1 mapping")
    assert [place.partition(" (")[0] for place in of_a_server.left_out] == [
        "IAMIdentityMapping objects",
        "the dynamic file",
    ]
    (config,) = of_cluster(options, cluster_with(ENTRY)).left_out
    assert "bootstrapAdministrators, break-glass file" in config
    assert "--config" in config


def test_one_line_says_what_was_read_and_what_was_not(options: SourceOptions) -> None:
    forbidden = FakeCluster()
    forbidden.refuse = ClusterError(403, "you may not list it")
    line = of_cluster(options, forbidden).coverage
    assert line.startswith("Read: nothing. Could not be read: EKSConfigMap ")
    assert "Left out: the server's config file" in line
    assert "\n" not in line


class Answers:
    """`Cluster` with some objects by their path; anything else is forbidden."""

    def __init__(self, answers: dict[str, Object | int]) -> None:
        self.answers = answers

    def request(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: Object | None = None,
    ) -> Object:
        assert (method, body) == ("GET", None)
        found = self.answers.get(path, 403)
        if isinstance(found, int):
            raise ClusterError(found, "you may not")
        return found

    def watch(self, path: str, query: Mapping[str, str]) -> AbstractContextManager[Watch]:
        raise NotImplementedError


CONFIG_MAPS = "/api/v1/namespaces/kube-system/configmaps"
GROUP = "/apis/iamauthenticator.k8s.aws/v1alpha1"
AWS_AUTH = {"metadata": {"resourceVersion": "7"}, "data": {"mapRoles": json.dumps([ENTRY])}}


@pytest.mark.parametrize(
    ("answers", "mapped", "unread"),
    [
        ({f"{CONFIG_MAPS}/aws-auth": AWS_AUTH, GROUP: 404}, 1, []),
        ({f"{CONFIG_MAPS}/aws-auth": 404, GROUP: 404}, 0, []),
        ({f"{CONFIG_MAPS}/aws-auth": AWS_AUTH, GROUP: {"kind": "APIResourceList"}}, 1, ["CRD"]),
        ({CONFIG_MAPS: {"items": [AWS_AUTH]}, f"{GROUP}/iamidentitymappings": 404}, 1, []),
        ({GROUP: 404}, 0, ["EKSConfigMap"]),
        ({CONFIG_MAPS: 500, GROUP: 404}, 0, ["EKSConfigMap"]),
    ],
)
def test_the_right_to_get_aws_auth_suffices(
    options: SourceOptions, answers: dict[str, Object | int], mapped: int, unread: list[str]
) -> None:
    found = of_cluster(options, Answers(answers))
    assert found.status.size == mapped
    assert [reason.partition(" ")[0] for reason in found.unread] == unread
