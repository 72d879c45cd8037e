"""What the plugin loads when credentials are ready: kubectl waits for every module."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from dev.server import COMMAND
from tests.client.running import python

# Beyond what a bare interpreter has loaded before the first line runs. Add to this list only what
# every user gains from: a small module costs 0.2 ms, json 2 ms, argparse 6 ms, botocore 200 ms.
ALLOWED = {
    "_sha2" if sys.version_info >= (3, 12) else "_sha256",
    "binascii",
    "client",
    "client.cluster",
    "client.command",
    "client.credentials",
    "client.endpoints",
    "client.errors",
    "client.exec_credential",
    "client.profiles",
    "client.sigv4",
    "client.token",
}
PROGRAM = """
import os, sys
os._exit = sys.exit
before = {{*sys.modules}}
from {module} import {function}
sys.argv[1:] = {arguments}
try:
    {function}({parameter})
except SystemExit as end:
    code = end.code
loaded = sorted({{*sys.modules}} - before)
import json
print(json.dumps([code, loaded]), file=sys.stderr)
"""
# How the program starts, and what it loads besides.
STARTS: dict[str, tuple[str, set[str]]] = {
    "the client alone": (
        PROGRAM.format(
            module="client.command",
            function="start",
            arguments=[],
            parameter=["-i", "my-cluster"],
        ),
        set(),
    ),
    "the whole command": (
        PROGRAM.format(
            module="authenticator.__main__",
            function="main",
            arguments=["token", "-i", "my-cluster"],
            parameter="",
        ),
        {"authenticator", "authenticator.__main__"},
    ),
}
KUBECTL = (
    '{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1",'
    '"spec":{"interactive":true}}'
)


@pytest.mark.parametrize("kind", ["environment", "profile", "profile with settings"])
@pytest.mark.parametrize("start", STARTS.values(), ids=STARTS.keys())
def test_loads_nothing_but_the_pinned_modules(
    start: tuple[str, set[str]], kind: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program, besides = start
    monkeypatch.setenv("KUBERNETES_EXEC_INFO", KUBECTL)
    if kind == "environment":
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        monkeypatch.setenv("AWS_REGION", "eu-west-1")
    else:
        keys = "aws_access_key_id = AKIDEXAMPLE\naws_secret_access_key = secret\n"
        monkeypatch.setenv("AWS_PROFILE", "me")
        (home / ".aws" / "credentials").write_text(f"[me]\n{keys}")
    if kind == "profile with settings":
        (home / ".aws" / "config").write_text(
            "[default]\nsso_session = x\n\n[profile me]\nregion = eu-west-1\ns3 =\n  a = b\n"
        )

    outcome = python("-c", program)

    code, loaded = json.loads(outcome.err)
    assert code == 0
    assert "k8s-aws-v1." in outcome.out
    assert set(loaded) == ALLOWED | besides


def test_a_library_import_loads_no_more_than_its_name() -> None:
    outcome = python("-c", "import sys, client; print([m for m in sys.modules if 'client.' in m])")

    assert outcome.out == "[]\n"


@pytest.mark.usefixtures("keys")
def test_the_installed_command_loads_no_more() -> None:
    """The wrapper of pip 24.3.1 and older imports `re`."""

    def imported(*arguments: str) -> set[str]:
        finished = subprocess.run(
            [sys.executable, "-X", "importtime", *arguments],
            capture_output=True,
            text=True,
            check=True,
        )
        lines = [line for line in finished.stderr.splitlines() if line.startswith("import time:")]
        return {line.rpartition("|")[2].strip() for line in lines}

    bare = imported("-c", "")
    loaded = imported(str(COMMAND), "token", "-i", "my-cluster")
    # The others are in client.hot.
    standard = {name for name in ALLOWED if not name.startswith("client")}
    assert loaded - bare == standard | {"client", "client.hot", "gc"}
