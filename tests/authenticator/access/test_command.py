"""The verb `access`, on files."""

from __future__ import annotations

import io
import json
import sys
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from authenticator.access.rules import Request
from authenticator.admin.access import reading
from authenticator.admin.access.command import access, request_for
from authenticator.display import printable
from authenticator.errors import ConfigError
from authenticator.sources.cluster import ClusterError
from tests.authenticator.access.clusters import Object, binding, mapped, role, rule

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

ESCAPE = "red\x1b[31m"
OBJECTS: list[Object] = [
    role("reader", rule("get", "pods secrets")),
    role("ops", rule("create", "pods/exec"), namespace="shop"),
    binding("readers", "reader", "Group/readers", f"Group/{ESCAPE}"),
    binding("ops", "ops", "User/ops:alice", namespace="shop"),
]
MAPPED = [mapped("Reader", "reader", "readers", "others"), mapped("Ops", "ops:{{SessionName}}")]
AWS_AUTH = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "aws-auth", "namespace": "kube-system"},
    "data": {"mapRoles": yaml.safe_dump(MAPPED)},
}
IDENTITY = {
    "apiVersion": "iamauthenticator.k8s.aws/v1alpha1",
    "kind": "IAMIdentityMapping",
    "metadata": {"name": "auditor"},
    "spec": {"arn": "arn:aws:iam::111122223333:user/auditor", "username": "auditor"},
}


@pytest.fixture
def dump(tmp_path: Path) -> str:
    """What kubectl printed, as a directory of files."""
    directory = tmp_path / "dump"
    directory.mkdir()
    listed = {"apiVersion": "v1", "kind": "List", "items": [*OBJECTS, IDENTITY]}
    (directory / "rbac.json").write_text(json.dumps(listed))
    (directory / "aws-auth.yaml").write_text(yaml.safe_dump(AWS_AUTH))
    (directory / "notes.txt").write_text("no object")
    return str(directory)


def values(capsys: pytest.CaptureFixture[str]) -> Any:
    return json.loads(capsys.readouterr().out)


def test_a_report_is_a_table(dump: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert access(["report", "-f", dump]) == 0
    lines = capsys.readouterr().out.splitlines()
    (reader,) = (line for line in lines if "role/Reader" in line)
    assert [word in reader for word in ("high", "readers", "Read secrets")] == [True] * 3
    assert not any(r"\n" in line for line in lines)
    assert next(n for n, line in enumerate(lines) if "role/Reader" in line) < next(
        n for n, line in enumerate(lines) if "user/auditor" in line
    )


def test_a_report_is_a_page(dump: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert access(["report", "-f", dump, "-o", "html", "--title", "staging"]) == 0
    page = capsys.readouterr().out
    assert page.startswith("<!doctype html>")
    assert '"cluster":"staging"' in page


@pytest.mark.parametrize(
    ("arguments", "usernames"),
    [
        (["get", "pods"], ["reader"]),
        (["get", "pods/one", "-n", "shop"], ["reader"]),
        (["create", "pods", "--subresource=exec", "-n", "shop"], ["ops:{{SessionName}}"]),
        (["create", "pods", "--subresource=exec"], ["ops:{{SessionName}}"]),
        (["create", "pods", "--subresource=exec", "-n", "other"], []),
        (["delete", "widgets.example.com"], []),
    ],
)
def test_who_can(
    dump: str, capsys: pytest.CaptureFixture[str], arguments: list[str], usernames: list[str]
) -> None:
    assert access(["who-can", *arguments, "-f", dump, "-o", "json"]) == 0
    assert [found["username"] for found in values(capsys)["principals"]] == usernames
    assert access(["who-can", *arguments, "-f", dump]) == 0
    text = capsys.readouterr().out
    assert all(name in text for name in usernames or ["No principal"])


@pytest.mark.parametrize(
    ("principal", "username"),
    [
        ("arn:aws:iam::111122223333:role/path/Reader", "reader"),
        ("arn:aws:sts::111122223333:assumed-role/Ops/alice", "ops:{{SessionName}}"),
        ("auditor", "auditor"),
        ("ops:{{SessionName}}", "ops:{{SessionName}}"),
    ],
)
def test_what_one_principal_may_do(
    dump: str, capsys: pytest.CaptureFixture[str], principal: str, username: str
) -> None:
    assert access(["what", principal, "-f", dump, "-o", "json"]) == 0
    assert [found["username"] for found in values(capsys)["principals"]] == [username]
    assert access(["what", principal, "-f", dump]) == 0
    assert username in capsys.readouterr().out


def test_a_session_that_is_not_the_one_bound_may_nothing(
    dump: str, capsys: pytest.CaptureFixture[str]
) -> None:
    granted = []
    for session in ("alice", "bob"):
        arn = f"arn:aws:sts::111122223333:assumed-role/Ops/{session}"
        assert access(["what", arn, "-f", dump, "-o", "json"]) == 0
        (found,) = values(capsys)["principals"]
        granted.append([grant["role"] for grant in found["grants"]])
    assert granted == [["Role/shop/ops"], []]


def test_whom_no_mapping_lets_in_is_not_found(
    dump: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert access(["what", "arn:aws:iam::111122223333:role/Other", "-f", dump]) == 1
    assert "no mapping" in capsys.readouterr().err


@pytest.mark.parametrize(
    "content",
    [
        pytest.param({"mapRoles": [mapped("New", "new", "readers")]}, id="a mapping file"),
        pytest.param(
            {"server": {"mapRoles": [mapped("New", "new", "readers")]}}, id="a config file"
        ),
        pytest.param(
            AWS_AUTH | {"data": {"mapRoles": json.dumps([mapped("New", "new", "readers")])}},
            id="aws-auth",
        ),
    ],
)
def test_mappings_of_a_file_stand_in_for_the_clusters(
    dump: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], content: Object
) -> None:
    """So that an edit can be judged before it is made."""
    file = tmp_path / "mappings.yaml"
    file.write_text(yaml.safe_dump(content))
    assert access(["who-can", "get", "secrets", "-f", dump, "--mappings", str(file), "-ojson"]) == 0
    assert [found["username"] for found in values(capsys)["principals"]] == ["new"]


def test_objects_may_come_from_standard_input(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = yaml.safe_dump_all([*OBJECTS, AWS_AUTH], sort_keys=False)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    assert access(["report", "-f", "-", "-o", "json"]) == 0
    assert len(values(capsys)["principals"]) == 2


def test_mappings_may_come_from_standard_input(
    dump: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = json.dumps(AWS_AUTH | {"data": {"mapRoles": json.dumps([mapped("New", "new")])}})
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    assert access(["report", "-f", dump, "--mappings", "-", "-o", "json"]) == 0
    assert [found["username"] for found in values(capsys)["principals"]] == ["new"]


def test_what_was_not_exported_is_told(dump: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert access(["report", "-f", dump]) == 0
    assert "No ClusterRoleBinding" not in capsys.readouterr().err
    assert access(["report", "-f", f"{dump}/aws-auth.yaml"]) == 0
    assert "No ClusterRoleBinding was read" in capsys.readouterr().err


def test_names_cannot_move_the_cursor(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "all.json").write_text(
        json.dumps({"kind": "List", "items": [*OBJECTS, role(ESCAPE, rule("get", ESCAPE))]})
    )
    bound = binding(ESCAPE, ESCAPE, "User/x")
    (tmp_path / "more.json").write_text(json.dumps(bound))
    (tmp_path / "auth.json").write_text(
        json.dumps(AWS_AUTH | {"data": {"mapRoles": json.dumps([mapped("X", "x")])}})
    )
    assert access(["what", "x", "-f", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert r"red\x1b[31m" in out


def test_shown_keeps_what_can_be_seen() -> None:
    assert printable("Zürich\u202e\n") == r"Zürich\u202e\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["get", "widgets"], "widgets.example.com"),
        (["get", "secert"], "there is no resource 'secert'; did you mean secret?"),
        (["get", "nodes", "-n", "shop"], "in no namespace"),
    ],
)
def test_a_question_that_makes_no_sense_is_a_usage_error(
    dump: str, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert access(["who-can", *arguments, "-f", dump]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "neither JSON nor YAML"),
        ("[1]", "something else than Kubernetes objects"),
        ('{"kind": "List", "items": [1]}', "no object"),
        (json.dumps(OBJECTS[0] | {"rules": 3}), "ClusterRole"),
        (json.dumps(OBJECTS[0]), "no mappings"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str, message: str
) -> None:
    file = tmp_path / "objects.json"
    file.write_text(content)
    assert access(["report", "-f", str(file)]) == 1
    assert message in capsys.readouterr().err


def test_a_file_that_is_not_there_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert access(["report", "-f", str(tmp_path / "gone.json")]) == 1
    assert "gone.json" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("target", "subresource", "expected"),
    [
        ("pods", "", Request("get", "pods")),
        ("Pods", "log", Request("get", "pods", subresource="log")),
        ("deployments", "", Request("get", "deployments", "apps")),
        ("deployments.apps/web", "", Request("get", "deployments", "apps", name="web")),
        ("pod", "", Request("get", "pods")),
        ("po/web", "", Request("get", "pods", name="web")),
        ("deploy/web", "", Request("get", "deployments", "apps", name="web")),
        ("deploy.apps", "", Request("get", "deployments", "apps")),
        ("ingress", "", Request("get", "ingresses", "networking.k8s.io")),
        ("netpol", "", Request("get", "networkpolicies", "networking.k8s.io")),
        ("sc", "", Request("get", "storageclasses", "storage.k8s.io")),
        (
            "IAMIdentityMapping",
            "",
            Request("get", "iamidentitymappings", "iamauthenticator.k8s.aws"),
        ),
        ("widgets.example.com", "", Request("get", "widgets", "example.com")),
        ("*", "", Request("get", "*", "*")),
        ("/metrics", "", Request("get", path="/metrics")),
    ],
)
def test_a_resource_is_read_as_kubectl_writes_it(
    target: str, subresource: str, expected: Request
) -> None:
    assert request_for("get", target, subresource, lambda *_: None) == expected


class Pages:
    """An API server with two pages of each list, of which some requests fail."""

    def __init__(self, failing: Mapping[str, int]) -> None:
        self.failing = dict(failing)
        self.asked: list[dict[str, str]] = []

    def request(
        self, method: str, path: str, query: Mapping[str, str] | None = None, body: object = None
    ) -> Object:
        query = dict(query or {})
        self.asked.append(query)
        for part, status in self.failing.items():
            if part in path or ("continue" in query and part == "continue"):
                raise ClusterError(status, "no")
        metadata = {"name": f"x{len(self.asked)}"}
        more = "limit" in query and "continue" not in query
        return {"metadata": {"continue": "2"} if more else {}, "items": [{"metadata": metadata}]}

    def watch(self, path: str, query: Mapping[str, str]) -> Any:
        raise NotImplementedError


def silent(_: str) -> None: ...


def test_every_page_is_read_and_every_item_has_its_kind() -> None:
    found = reading.of_cluster(Pages({}), silent, mappings=False)
    assert [obj["kind"] for obj in found] == [
        kind for kind in ("ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding") for _ in "12"
    ]


def test_a_next_page_that_is_gone_means_all_at_once() -> None:
    pages = Pages({"continue": 410})
    found = reading.of_cluster(pages, silent, mappings=False)
    assert len(found) == 4
    assert pages.asked[:3] == [{"limit": "500"}, {"limit": "500", "continue": "2"}, {}]


def test_without_the_definition_there_are_no_custom_resources() -> None:
    found = reading.of_cluster(Pages({"iamidentity": 404}), silent, mappings=True)
    assert {obj["kind"] for obj in found} & {"ConfigMap", "IAMIdentityMapping"} == {"ConfigMap"}


def test_what_may_not_be_read_is_named() -> None:
    with pytest.raises(ConfigError, match=r"rolebindings cannot be read: 403.*right to list"):
        reading.of_cluster(Pages({"/rolebindings": 403}), silent, mappings=False)


@pytest.mark.parametrize("arguments", [["report"], ["who-can", "get", "pods"]])
def test_arns_were_shown_in_lower_case(
    dump: str, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    arn = "arn:aws:iam::111122223333:role/Reader"
    assert access([*arguments, "-f", dump, "-o", "name"]) == 0
    assert arn in capsys.readouterr().out.splitlines()
    assert access([*arguments, "-f", dump, "-o", "json"]) == 0
    assert arn in [found["principal"] for found in values(capsys)["principals"]]


class TestSourcesAreNamed:
    """A logged-in administrator of the config file was missing from "all principals"."""

    BOSS = "arn:aws:iam::111122223333:role/Boss"
    MOUNTED = "arn:aws:iam::111122223333:role/Mounted"
    GLASS = "arn:aws:iam::111122223333:role/Glass"

    @pytest.fixture
    def config(self, tmp_path: Path) -> str:
        glass, path = tmp_path / "glass.json", tmp_path / "config.yaml"
        entry = {"rolearn": self.GLASS, "username": "glass", "groups": ["readers"]}
        glass.write_text(json.dumps({"mapRoles": [entry]}))
        server = {
            "backendMode": ["MountedFile", "EKSConfigMap"],
            "bootstrapAdministrators": [self.BOSS],
            "breakGlassPath": str(glass),
            "mapRoles": [mapped("Mounted", "mounted", "readers"), mapped("Reader", "here")],
        }
        path.write_text(yaml.safe_dump({"clusterID": "c", "server": server}))
        return str(path)

    def test_the_servers_files_take_part_with_config(
        self, dump: str, config: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert access(["report", "-f", dump, "-c", config, "-o", "json"]) == 0
        report = values(capsys)
        usernames = {found["principal"]: found["username"] for found in report["principals"]}
        assert usernames[self.BOSS] == "{{CanonicalARN}}"
        assert (usernames[self.MOUNTED], usernames[self.GLASS]) == ("mounted", "glass")
        # MountedFile comes first, and CRD is not in backendMode.
        assert usernames["arn:aws:iam::111122223333:role/Reader"] == "here"
        assert not any("auditor" in principal for principal in usernames)
        assert report["notes"][0] == (
            "Read: bootstrapAdministrators: 1 mapping, MountedFile: 2 mappings, BreakGlass: 1"
            " mapping, EKSConfigMap: 2 mappings. Left out: IAMIdentityMapping objects (not in the"
            " server's backendMode); the dynamic file (not in the server's backendMode)."
        )

    @pytest.mark.parametrize("output", ["table", "json", "html"])
    def test_table_and_page_carry_the_same_line(
        self, dump: str, capsys: pytest.CaptureFixture[str], output: str
    ) -> None:
        assert access(["report", "-f", dump, "-o", output]) == 0
        captured = capsys.readouterr()
        line = "Read: EKSConfigMap: 2 mappings, CRD: 1 mapping. Left out: the server"
        assert line in captured.err
        assert output == "table" or line in captured.out

    def test_a_source_that_cannot_be_read_gives_no_report(
        self, dump: str, config: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        with open(config, "a", encoding="utf-8") as file:  # noqa: PTH123
            file.write("  mapUsers: nonsense\n")
        assert access(["report", "-f", dump, "-c", config]) == 1
        captured = capsys.readouterr()
        assert (captured.out, "mapUsers" in captured.err) == ("", True)

    def test_two_ways_to_say_where_are_an_error(self, dump: str, config: str) -> None:
        assert access(["report", "-f", dump, "-c", config, "--mappings", config]) == 2


def test_the_end_of_access_is_shown(dump: str, capsys: pytest.CaptureFixture[str]) -> None:
    entry = {**mapped("Ending", "ending", "readers"), "expires": "2099-01-31T18:00:00Z"}
    manifest = {**AWS_AUTH, "data": {"mapRoles": yaml.safe_dump([entry])}}
    with open(f"{dump}/aws-auth.yaml", "w", encoding="utf-8") as file:  # noqa: PTH123
        yaml.safe_dump(manifest, file)
    end = "2099-01-31T18:00:00Z (in "
    arn = "arn:aws:iam::111122223333:role/Ending"
    for arguments in (
        ["report", "--output=wide"],
        ["who-can", "get", "pods", "--output=wide"],
        ["what", arn],
    ):
        assert access([*arguments, "-f", dump]) == 0
        (line,) = (line for line in capsys.readouterr().out.splitlines() if arn in line)
        assert end in line
