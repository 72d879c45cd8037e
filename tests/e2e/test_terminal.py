"""No verb lets a terminal obey text from elsewhere: names, files, logs, answers, command lines."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from authenticator.display import is_printable

if TYPE_CHECKING:
    from collections.abc import Sequence

COMMAND = Path(sys.executable).with_name("aws-iam-authenticator")
ACCOUNT = "111122223333"
# Sets the title, colours (in one byte), turns letters round, and draws nothing.
HOSTILE = "\x1b]0;owned\x07\x9b31m\u202egnp\u3164\u200b"
_AS_YAML = json.dumps(HOSTILE)

MAPPINGS = f"""\
mapRoles:
  - rolearn: "arn:aws:iam::{ACCOUNT}:role/\\x1b[2Jx"
    username: {_AS_YAML}
    groups: [{_AS_YAML}, "a\\u3164"]
    {_AS_YAML}: {_AS_YAML}
  - rolearn: arn:aws:iam::{ACCOUNT}:role/Dev
    username: dev
    groups: [developers]
    gruops: {_AS_YAML}
  - {_AS_YAML}
mapUsers: {_AS_YAML}
{_AS_YAML}: []
"""
CONFIG = f"""\
clusterID: test
{_AS_YAML}: 1
server:
  {_AS_YAML}: 1
  mapRoles:
    - rolearn: arn:aws:iam::{ACCOUNT}:role/Dev
      username: {_AS_YAML}
"""
BAD_CONFIG = f"clusterID: test\nserver:\n  port: {_AS_YAML}\n  backendMode: [{_AS_YAML}]\n"
RBAC = json.dumps(
    {
        "apiVersion": "v1",
        "kind": "List",
        "items": [
            {
                "apiVersion": "rbac.authorization.k8s.io/v1",
                "kind": "ClusterRole",
                "metadata": {"name": HOSTILE},
                "rules": [
                    {"verbs": [HOSTILE, "get"], "apiGroups": [""], "resources": ["pods", HOSTILE]}
                ],
            },
            {
                "apiVersion": "rbac.authorization.k8s.io/v1",
                "kind": "ClusterRoleBinding",
                "metadata": {"name": HOSTILE},
                "roleRef": {"kind": "ClusterRole", "name": HOSTILE},
                "subjects": [{"kind": "Group", "name": "developers"}],
            },
            {
                "apiVersion": "rbac.authorization.k8s.io/v1",
                "kind": "RoleBinding",
                "metadata": {"name": HOSTILE, "namespace": HOSTILE},
                "roleRef": {"kind": "Role", "name": HOSTILE},
                "subjects": [{"kind": HOSTILE, "name": HOSTILE}],
            },
        ],
    }
)
# As a server never writes it; anyone can write a file that is called a log.
LOG = (
    json.dumps(
        {
            "event": "review",
            "denial_id": "0123456789abcdef",
            **dict.fromkeys(("time", "reason", "result", HOSTILE, "source"), HOSTILE),
        },
        ensure_ascii=False,
    )
    + f'\nevent=review denial_id=fedcba9876543210 reason="{HOSTILE}" time={HOSTILE}\n'
)
KUBECONFIG = json.dumps(
    {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": HOSTILE,
        "contexts": [{"name": HOSTILE, "context": {"cluster": HOSTILE, "user": HOSTILE}}],
        "clusters": [{"name": HOSTILE, "cluster": {"server": f"https://127.0.0.1:1/{HOSTILE}"}}],
        "users": [
            {
                "name": HOSTILE,
                "user": {
                    "exec": {
                        "apiVersion": "client.authentication.k8s.io/v1",
                        "command": HOSTILE,
                        "args": [HOSTILE],
                        "interactiveMode": HOSTILE,
                    }
                },
            }
        ],
    }
)
# What stands in place of kubectl: it fails, and complains in hostile words.
KUBECTL = f"""\
#!{sys.executable}
import sys
if "config" in sys.argv:
    print({KUBECONFIG!r})
    sys.exit(0)
sys.stderr.write({HOSTILE!r} + " says the server\\n")
sys.exit(1)
"""
_URL = f"https://sts.{HOSTILE}.amazonaws.com/?Action={HOSTILE}"
TOKEN = "k8s-aws-v1." + base64.urlsafe_b64encode(_URL.encode()).decode().rstrip("=")
AWS_CONFIG = f"[profile {HOSTILE}]\nregion = {HOSTILE}\n[profile odd]\nsso_session = {HOSTILE}\n"

COMMANDS: dict[str, Sequence[str]] = {
    "unknown verb": (HOSTILE,),
    "token, cluster id": ("token", "--cluster-id", HOSTILE),
    "token, unknown flag": ("token", f"--{HOSTILE}"),
    "token, word": ("token", "-i", "test", HOSTILE),
    "token, profile": ("token", "-i", "test", "--profile", HOSTILE),
    "token, odd profile": ("token", "-i", "test", "--profile", "odd"),
    "token, region": ("token", "-i", "test", "--region", HOSTILE),
    "token, role": ("token", "-i", "test", "--role", HOSTILE),
    "token, config": ("token", "-c", f"{HOSTILE}.yaml"),
    "token, bad config": ("token", "-c", "bad.yaml"),
    "token, duration": ("token", "-i", "test", "--duration", HOSTILE),
    "whoami, profile": ("whoami", "--profile", HOSTILE),
    "whoami, cluster": ("whoami", "--cluster"),
    "whoami, context": ("whoami", "--context", HOSTILE),
    "whoami, word": ("whoami", HOSTILE),
    "whoami, output": ("whoami", "-o", HOSTILE),
    "doctor": ("doctor",),
    "doctor, context": ("doctor", "--context", HOSTILE),
    "doctor, flag": ("doctor", f"--{HOSTILE}"),
    "kubeconfig": (
        *("kubeconfig", "-i", HOSTILE, "--server", "https://127.0.0.1:1", "--kubeconfig", "new"),
        *("--certificate-authority", "bad.yaml", "--dry-run"),
    ),
    "kubeconfig, alias": (
        *("kubeconfig", "-i", "test", "--alias", HOSTILE, "--server", "https://127.0.0.1:1"),
        *("--certificate-authority", "ca.pem", "--kubeconfig", "new", "--dry-run"),
    ),
    "kubeconfig, server": ("kubeconfig", "-i", "test", "--server", HOSTILE, "--dry-run"),
    "kubeconfig, file": ("kubeconfig", "-i", "test", "--kubeconfig", f"{HOSTILE}/x", "--dry-run"),
    "completion": ("completion", HOSTILE),
    "version": ("version", HOSTILE),
    "server, bad config": ("server", "-c", "bad.yaml"),
    "server, missing config": ("server", "-c", f"{HOSTILE}.yaml"),
    "init, unknown settings": ("init", "-c", "config.yaml"),
    "init, flag": ("init", f"--{HOSTILE}"),
    "init, address": ("init", "-i", "test", "--address", HOSTILE),
    "init, hostname": ("init", "-i", "test", "--hostname", HOSTILE),
    "rotate": ("rotate", "-i", "test", "--state-dir", HOSTILE, "--switch"),
    "verify, token": ("verify", "-i", "test", "-t", HOSTILE),
    "verify, url": ("verify", "-i", "test", "-t", TOKEN),
    "verify, as JSON": ("verify", "-i", "test", "-t", TOKEN, "-o", "json"),
    "explain, arn": ("explain", "--arn", HOSTILE, "--file", "mappings.yaml"),
    "explain, session": (
        *("explain", "--arn", f"arn:aws:iam::{ACCOUNT}:role/Dev", "--session", HOSTILE),
        *("--file", "mappings.yaml"),
    ),
    "explain, instance": (
        *("explain", "--arn", f"arn:aws:iam::{ACCOUNT}:role/Dev", "--instance-name", HOSTILE),
        *("--file", "mappings.yaml"),
    ),
    "explain, mappings": (
        *("explain", "--arn", f"arn:aws:iam::{ACCOUNT}:role/Dev", "-c", "config.yaml"),
    ),
    "explain, token": ("explain", "-i", "test", "-t", TOKEN, "--file", "mappings.yaml"),
    "explain, log": (
        *("explain", "--id", "0123456789abcdef", "--log", "server.log"),
        *("--file", "mappings.yaml"),
    ),
    "explain, log of text": (
        *("explain", "--id", "fedcba9876543210", "--log", "server.log"),
        *("--file", "mappings.yaml"),
    ),
    "explain, log as JSON": (
        *("explain", "--id", "0123456789abcdef", "--log", "server.log", "-o", "json"),
        *("--file", "mappings.yaml"),
    ),
    "explain, log as YAML": (
        *("explain", "--id", "0123456789abcdef", "--log", "server.log", "-o", "yaml"),
        *("--file", "mappings.yaml"),
    ),
    "explain, no such id": (
        *("explain", "--id", HOSTILE, "--log", "server.log", "--file", "mappings.yaml"),
    ),
    "explain, no such log": (
        *("explain", "--id", "x", "--log", HOSTILE, "--file", "mappings.yaml"),
    ),
    "explain, cluster": (
        *("explain", "--arn", f"arn:aws:iam::{ACCOUNT}:role/Dev", "--cluster"),
        *("--kubeconfig", "kubeconfig.json"),
    ),
    "lint": ("lint", "mappings.yaml"),
    "lint, as JSON": ("lint", "mappings.yaml", "-o", "json"),
    "lint, as SARIF": ("lint", "mappings.yaml", "-o", "sarif"),
    "lint, config": ("lint", "config.yaml"),
    "lint, name": ("lint", f"{HOSTILE}.yaml"),
    "lint, missing": ("lint", f"missing-{HOSTILE}.yaml"),
    "lint, flag": ("lint", f"--{HOSTILE}"),
    "lint, rule": ("lint", "mappings.yaml", "--disable", HOSTILE),
    "lint, known": ("lint", "mappings.yaml", "--known-arn", HOSTILE),
    "lint, region": ("lint", "mappings.yaml", "--client-region", HOSTILE),
    "lint, cluster": ("lint", "--cluster", "--kubeconfig", "kubeconfig.json"),
    "mappings list": ("mappings", "list", "--source", "file=mappings.yaml"),
    "mappings list, wide": ("mappings", "list", "--source", "file=mappings.yaml", "-o", "wide"),
    "mappings list, name": ("mappings", "list", "--source", "file=mappings.yaml", "-o", "name"),
    "mappings list, JSON": ("mappings", "list", "--source", "file=mappings.yaml", "-o", "json"),
    "mappings list, YAML": ("mappings", "list", "--source", "file=mappings.yaml", "-o", "yaml"),
    "mappings list, missing": ("mappings", "list", "--source", f"file={HOSTILE}"),
    "mappings list, source": ("mappings", "list", "--source", HOSTILE),
    "mappings list, cluster": ("mappings", "list", "--kubeconfig", "kubeconfig.json"),
    "mappings list, context": ("mappings", "list", "--context", HOSTILE),
    "mappings get": ("mappings", "get", HOSTILE, "--source", "file=mappings.yaml"),
    "mappings get, entry": ("mappings", "get", "mapRoles[0]", "--source", "file=mappings.yaml"),
    "mappings add": ("mappings", "add", HOSTILE, "--source", "file=good.yaml", "--yes"),
    "mappings add, username": (
        *("mappings", "add", "role", f"arn:aws:iam::{ACCOUNT}:role/New", "--username", HOSTILE),
        *("--source", "file=good.yaml", "--yes"),
    ),
    "mappings add, dry run": (
        *("mappings", "add", "role", f"arn:aws:iam::{ACCOUNT}:role/New", "--username", "x"),
        *("--source", "file=mappings.yaml", "--dry-run=client"),
    ),
    "mappings remove": ("mappings", "remove", HOSTILE, "--source", "file=good.yaml", "--yes"),
    "mappings remove, entry": (
        *("mappings", "remove", "mapRoles[0]", "--source", "file=mappings.yaml", "--yes"),
    ),
    "mappings diff": ("mappings", "diff", "-f", "mappings.yaml", "--source", "file=good.yaml"),
    "mappings apply": (
        *("mappings", "apply", "-f", "mappings.yaml", "--source", "file=good.yaml", "--yes"),
    ),
    "mappings export": (
        *("mappings", "export", "--format", "aws-auth", "--source", "file=mappings.yaml"),
    ),
    "mappings export, cluster": (
        *("mappings", "export", "--format", "eksctl", "--cluster", HOSTILE),
        *("--region", HOSTILE, "--source", "file=good.yaml"),
    ),
    "mappings import": (
        *("mappings", "import", "mappings.yaml", "--source", "file=good.yaml", "--yes"),
    ),
    "mappings rollback": ("mappings", "rollback", HOSTILE, "--source", "file=good.yaml", "--yes"),
    "mappings history": ("mappings", "history", "--source", f"file={HOSTILE}.yaml"),
    "mappings, verb": ("mappings", HOSTILE),
    "add": ("add", "role", "--rolearn", HOSTILE, "--username", HOSTILE),
    "access report": ("access", "report", "-f", "rbac.json", "--mappings", "good.yaml"),
    "access report, refused": (
        "access",
        "report",
        "-f",
        "rbac.json",
        "--mappings",
        "mappings.yaml",
    ),
    "access report, JSON": (
        *("access", "report", "-f", "rbac.json", "--mappings", "good.yaml", "-o", "json"),
    ),
    "access report, missing": ("access", "report", "-f", HOSTILE),
    "access report, cluster": ("access", "report", "--kubeconfig", "kubeconfig.json"),
    "access who-can": (
        *("access", "who-can", "get", "pods", "-f", "rbac.json", "--mappings", "good.yaml"),
    ),
    "access who-can, resource": ("access", "who-can", "get", HOSTILE, "-f", "rbac.json"),
    "access what": (
        *("access", "what", f"arn:aws:iam::{ACCOUNT}:role/Dev", "-f", "rbac.json"),
        *("--mappings", "good.yaml"),
    ),
    "access what, other": (
        *("access", "what", HOSTILE, "-f", "rbac.json", "--mappings", "good.yaml"),
    ),
}
VARIABLES = {
    "port": "KUBERNETES_AWS_AUTHENTICATOR_PORT",
    "partition": "KUBERNETES_AWS_AUTHENTICATOR_PARTITION",
    "unknown": "KUBERNETES_AWS_AUTHENTICATOR_NONSENSE",
}


@dataclass(frozen=True)
class Place:
    """A directory with hostile files, which commands run in."""

    directory: Path

    def run(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[bytes]:
        environment = {
            "PATH": f"{self.directory / 'bin'}:{os.environ['PATH']}",
            "HOME": str(self.directory),
            "KUBECONFIG": str(self.directory / "kubeconfig.json"),
            "AWS_CONFIG_FILE": str(self.directory / "aws"),
            "AWS_EC2_METADATA_DISABLED": "true",
            "LC_ALL": "C.UTF-8",
            **variables,
        }
        return subprocess.run(
            [COMMAND, *arguments],
            cwd=self.directory,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=120,
            check=False,
        )


@pytest.fixture
def place(tmp_path: Path) -> Place:
    files = {
        "mappings.yaml": MAPPINGS,
        f"{HOSTILE}.yaml": MAPPINGS,
        "config.yaml": CONFIG,
        "bad.yaml": BAD_CONFIG,
        "rbac.json": RBAC,
        "server.log": LOG,
        "kubeconfig.json": KUBECONFIG,
        "aws": AWS_CONFIG,
        "ca.pem": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        "good.yaml": json.dumps(
            {
                "mapRoles": [
                    {
                        "rolearn": f"arn:aws:iam::{ACCOUNT}:role/{name}",
                        "username": name,
                        "groups": groups,
                    }
                    for name, groups in (("Dev", ["developers"]), ("Admin", ["system:masters"]))
                ]
            }
        ),
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    kubectl = tmp_path / "bin" / "kubectl"
    kubectl.parent.mkdir()
    kubectl.write_text(KUBECTL, encoding="utf-8")
    kubectl.chmod(0o755)
    return Place(tmp_path)


def obeyed(shown: bytes) -> list[str]:
    """The lines that hold more than a reader sees."""
    text = shown.decode("utf-8", "surrogateescape")
    return [ascii(line) for line in text.split("\n") if not is_printable(line)]


@pytest.mark.parametrize("arguments", COMMANDS.values(), ids=COMMANDS)
def test_no_verb_lets_a_terminal_obey_what_it_shows(place: Place, arguments: Sequence[str]) -> None:
    done = place.run(*arguments)
    assert obeyed(done.stdout) == []
    assert obeyed(done.stderr) == []
    # A verb that fails before it has read anything would show nothing hostile.
    assert done.stdout or done.stderr
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize("variable", VARIABLES.values(), ids=VARIABLES)
def test_a_variable_is_shown_with_escapes(place: Place, variable: str) -> None:
    done = place.run("server", "-i", "test", "--port", "x", **{variable: HOSTILE})
    assert obeyed(done.stdout + done.stderr) == []
