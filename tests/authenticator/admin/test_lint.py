"""The verb `lint`: files, standard input and a cluster; output and exit codes."""

from __future__ import annotations

import io
import json
import sys
from typing import TYPE_CHECKING, Any

import pytest

from authenticator.admin import lint
from authenticator.lint import RULES
from authenticator.sources.cluster import ClusterError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

ROLE = "arn:aws:iam::111122223333:role/Dev"
SOUND = f"mapRoles:\n- {{rolearn: '{ROLE}', username: dev}}\n"
NOTED = SOUND.replace("role/Dev", "role/a/Dev")
WARNED = SOUND.replace("username", "user-name")
BROKEN = SOUND.replace("111122223333", "1")


@pytest.fixture
def document(tmp_path: Path) -> Path:
    return tmp_path / "mappings.yaml"


@pytest.mark.parametrize(
    ("text", "arguments", "code"),
    [
        (SOUND, [], 0),
        (SOUND, ["--fail-on", "note"], 0),
        (NOTED, [], 0),
        (NOTED, ["--fail-on=warning"], 0),
        (NOTED, ["--fail-on=note"], 1),
        (WARNED, [], 0),
        (WARNED, ["--fail-on=warning"], 1),
        (BROKEN, [], 1),
        (BROKEN, ["--output=json"], 1),
        (BROKEN, ["--output=sarif"], 1),
        (BROKEN, ["--disable", "bad-arn"], 0),
    ],
)
def test_exit_codes(document: Path, text: str, arguments: list[str], code: int) -> None:
    document.write_text(text)
    assert lint.run([str(document), *arguments]) == code


@pytest.mark.parametrize(
    "arguments",
    [[], ["-", "-"], ["--disable=no-such-rule", "-"], ["--output=xml", "-"], ["--no-such-flag"]],
)
def test_a_wrong_command_line(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert lint.run(arguments) == 2
    assert "see aws-iam-authenticator lint --help" in capsys.readouterr().err


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_is_explained(rule: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Rules could not be read after `pip install`: the documents were not in the wheel."""
    assert lint.run(["--explain", rule]) == 0

    out = capsys.readouterr().out
    assert out.startswith(f"{rule} ({RULES[rule].severity.value}): {RULES[rule].title}\n\n")
    assert out.endswith(f"\n\n{RULES[rule].page}\n")
    assert "\nBad:\n\n    " in out
    assert "\nGood:\n\n    " in out
    assert out.count("Bad:") == 1
    assert "```" not in out
    assert "](" not in out


def test_all_rules_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert lint.run(["--explain", "all"]) == 0

    assert [line.split()[1] for line in capsys.readouterr().out.splitlines()] == list(RULES)


@pytest.mark.parametrize("flag", ["--explain", "--disable"])
def test_a_mistyped_rule_is_answered_with_the_one_meant(
    flag: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """All 57 were listed."""
    assert lint.run([flag, "bad-arm", "-"]) == 2

    said = capsys.readouterr().err
    assert "there is no rule 'bad-arm'; did you mean bad-arn?" in said
    assert "lint --explain all" in said


def test_annotations_for_github(document: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document.write_text(BROKEN)
    assert lint.run([str(document), "-o", "github"]) == 1

    annotation, summary = capsys.readouterr().out.splitlines()
    assert annotation.startswith(f"::error file={document},line=2,")
    assert summary == "1 error in 1 entry"


def test_text_is_as_compilers_write_it(document: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document.write_text(BROKEN)
    lint.run([str(document)])
    assert capsys.readouterr().out == (
        f"{document}:2:13: error: mapRoles[0]: rolearn: its account id is not 12 digits [bad-arn]\n"
        "1 error in 1 entry\n"
    )


def test_how_much_was_looked_at_is_said(document: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document.write_text(SOUND)
    lint.run([str(document), str(document)])
    assert capsys.readouterr().out.endswith("1 warning in 2 entries\n")
    document.write_text("kind: Secret\n")
    lint.run([str(document)])
    out = capsys.readouterr().out
    assert "no mapping is in it" in out
    assert out.endswith("1 warning in 0 entries\n")


def test_colour_on_a_terminal_only(
    document: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    document.write_text(BROKEN)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.delenv("NO_COLOR", raising=False)
    lint.run([str(document)])
    assert "\x1b[31m\x1b[1merror" in capsys.readouterr().out
    monkeypatch.setenv("NO_COLOR", "1")
    lint.run([str(document)])
    assert "\x1b" not in capsys.readouterr().out


def test_standard_input(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(BROKEN.encode())))
    assert lint.run(["-", "--output=json"]) == 1
    (finding,) = json.loads(capsys.readouterr().out)["findings"]
    assert finding["document"] == "stdin"


def test_known_arns_from_a_file_and_by_flag(
    document: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    document.write_text(SOUND.replace("role/Dev", "role/Dec") + "mapUsers: []\n")
    known = tmp_path / "known.txt"
    known.write_text(f"# roles\n\n{ROLE}\n")
    for arguments in (["--known", str(known)], ["--known-arn", ROLE]):
        lint.run([str(document), *arguments])
        assert "[near-miss-known]" in capsys.readouterr().out


def test_a_known_arn_that_is_none_is_refused(
    document: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    document.write_text(SOUND)
    assert lint.run([str(document), "--known-arn=Dev"]) == 1
    assert "'Dev' is no ARN of a principal: it is not of the form" in capsys.readouterr().err


def test_a_file_that_cannot_be_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert lint.run([str(tmp_path / "absent")]) == 1
    assert "absent cannot be read: No such file" in capsys.readouterr().err


class _Api:
    """An API server that has what it is given, by path."""

    def __init__(self, objects: Mapping[str, Any]) -> None:
        self._objects = objects

    def request(self, method: str, path: str, **_: Any) -> Any:
        assert method == "GET"
        if isinstance(status := self._objects.get(path, 404), int):
            raise ClusterError(status, "no")
        return self._objects[path]


CONFIG_MAP = "/api/v1/namespaces/kube-system/configmaps/aws-auth"
IDENTITIES = "/apis/iamauthenticator.k8s.aws/v1alpha1/iamidentitymappings"
OBJECTS = {
    CONFIG_MAP: {
        "metadata": {"name": "aws-auth", "namespace": "kube-system"},
        "data": {"mapRoles": f"- {{rolearn: '{ROLE}', username: 'aws:dev'}}"},
    },
    IDENTITIES: {
        "items": [{"metadata": {"name": "dev"}, "spec": {"arn": ROLE, "username": "dev"}}]
    },
}


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    objects: dict[str, Any] = {}
    monkeypatch.setattr(lint, "connect", lambda *_: _Api(objects))
    return objects


def test_the_cluster_is_one_set(api: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    api |= OBJECTS
    assert lint.run(["--cluster"]) == 0
    assert capsys.readouterr().out == (
        "iamidentitymapping/dev: warning: dev: it never applies, since"
        " configmap/kube-system/aws-auth mapRoles[0], line 1 names the same and comes first"
        " [duplicate-entry]\n1 warning in 2 entries\n"
    )


def test_a_cluster_is_read_by_the_settings_of_its_server(
    api: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    api |= OBJECTS
    reserved = [{"backendMode": "EKSConfigMap", "usernamePrefixReserveList": ["aws:"]}]
    config = tmp_path / "config.yaml"
    config.write_text(json.dumps({"clusterID": "x", "server": {"reservedPrefixConfig": reserved}}))
    assert lint.run(["--cluster", "--config", str(config)]) == 1
    assert "[reserved-name]" in capsys.readouterr().out


def test_a_cluster_without_mappings(
    api: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    assert not api
    assert lint.run(["--cluster"]) == 0
    assert capsys.readouterr().out == "nothing found in 0 entries\n"


def test_a_cluster_that_may_not_be_read(
    api: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    api[CONFIG_MAP] = 403
    assert lint.run(["--cluster"]) == 1
    assert "aws-auth cannot be read: 403: no" in capsys.readouterr().err


WEBHOOKS = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"


def webhook(name: str, **client: str) -> dict[str, Any]:
    return {"metadata": {"name": "x"}, "webhooks": [{"name": name, "clientConfig": client}]}


def test_a_webhook_that_the_api_server_does_not_trust_is_found_in_the_cluster(
    api: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    """Every edit is stored unchecked, since each call of it fails."""
    ours = "aws-auth.iamauthenticator.k8s.aws"
    trusted = webhook(ours, caBundle="LS0t")
    api |= {WEBHOOKS: {"items": [webhook(ours), trusted, webhook("other.example.com")]}}
    assert lint.run(["--cluster", "--fail-on=warning"]) == 1
    printed = capsys.readouterr().out
    assert f"validatingwebhookconfiguration/x: warning: {ours}: it has no caBundle" in printed
    assert printed.count("[untrusted-webhook]") == 1


def test_webhooks_that_may_not_be_read_keep_no_mappings_from_being_linted(
    api: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    api |= {**OBJECTS, WEBHOOKS: 403}
    assert lint.run(["--cluster"]) == 0
    assert "1 warning in 2 entries" in capsys.readouterr().out
