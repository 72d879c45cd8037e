"""`make demo`: the main job, from a caller's keys to the API server's answer, without AWS."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import yaml

from dev.aws_double import AwsDouble, Principal
from dev.aws_double.principals import assumed_role, user
from dev.cluster import ControlPlane, Options, Webhook, binaries
from dev.server import COMMAND, WebhookServer, now, write_config

ACCOUNT = "111122223333"
ALICE = user(ACCOUNT, "alice")
BOB = assumed_role(ACCOUNT, "Developer", "bob@example.com")
# Of another account, who has the luck to bear the same name.
MALLORY = user("444455556666", "alice")


def config(*groups: str) -> dict[str, Any]:
    """The server's config file; the role's groups are what the demo edits."""
    return {
        "clusterID": "demo",
        "server": {
            "mapUsers": [{"userarn": ALICE.arn, "username": "alice", "groups": ["system:masters"]}],
            "mapRoles": [
                {
                    "rolearn": f"arn:aws:iam::{ACCOUNT}:role/teams/web/Developer",
                    "username": "dev:{{SessionName}}",
                    "groups": list(groups),
                }
            ],
        },
    }


class Stage:
    """Says what happens; in colour on a terminal only."""

    def __init__(self) -> None:
        self._colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ
        self._step = 0

    def step(self, title: str) -> None:
        """Announce the next step."""
        self._step += 1
        print(f"\n{self._paint('1', f'{self._step}. {title}')}", flush=True)

    def show(self, text: str, *, good: bool | None = None) -> None:
        """Show what came out of it."""
        code = {True: "32", False: "31", None: "0"}[good]
        for line in text.splitlines():
            print(f"   {self._paint(code, line)}", flush=True)

    def _paint(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self._colour else text


def mint(principal: Principal, aws: AwsDouble) -> str:
    """A token by the installed client with `principal`'s keys."""
    environment = {
        **os.environ,
        **aws.environment(),
        **principal.environment(),
        "AWS_REGION": "us-west-2",
    }
    done = subprocess.run(
        [COMMAND, "token", "-i", "demo"], env=environment, stdout=subprocess.PIPE, check=True
    )
    token: str = json.loads(done.stdout)["status"]["token"]
    return token


def main() -> int:
    """Play the demo."""
    started = time.monotonic()
    stage = Stage()
    print("An API server asks who is calling; AWS knows; nobody's secret travels.")
    with (
        tempfile.TemporaryDirectory(prefix="authenticator-demo-") as folder,
        AwsDouble([ALICE, BOB, MALLORY]) as aws,
    ):
        directory = Path(folder)
        written = write_config(directory, config("viewers"))
        server = WebhookServer(written, aws.environment(), arguments=("--log-format", "json"))
        stage.step("Start the webhook server beside a stand-in for AWS STS that checks signatures")
        with server:
            stage.show(f"listening; the API server will trust it by {server.kubeconfig.name}")
            play(stage, server, aws)
            if "--no-cluster" not in sys.argv:
                with_kubectl(stage, server, directory)
    print(f"\nDone in {time.monotonic() - started:.1f} s.")
    return 0


def play(stage: Stage, server: WebhookServer, aws: AwsDouble) -> None:
    """Log in, edit a mapping, be refused."""
    stage.step("alice (an IAM user) runs kubectl, which runs `aws-iam-authenticator token -i demo`")
    token = mint(ALICE, aws)
    stage.show(f"{token[:60]}... ({len(token)} characters: a signed request, not a secret key)")

    stage.step("The API server posts the token to the webhook in a TokenReview; the answer:")
    status = review(server, token)
    stage.show(json.dumps(shortened(status), indent=2), good=status["authenticated"])

    stage.step("bob comes through a role; its mapping gives the group `viewers`")
    stage.show(whom(review(server, mint(BOB, aws))), good=True)

    stage.step("The administrator edits the mapping while the server runs: `viewers` to `editors`")
    edit = yaml.safe_load(server.config.read_text())
    edit["server"] |= config("editors")["server"]
    since = server.log.end
    server.config.write_text(yaml.safe_dump(edit))
    server.wait_for_each_worker("MountedFile has changed", since)
    stage.show(whom(review(server, mint(BOB, aws))), good=True)

    stage.step("an alice of another account has valid AWS keys; kubectl says only `Unauthorized`")
    moment = now()
    status = review(server, mint(MALLORY, aws))
    stage.show(json.dumps(status), good=status["authenticated"])
    explain(stage, server, server.audited(moment))

    stage.step("A slip in an edit is found before it matters: `lint`")
    broken = server.config.with_name("edit.yaml")
    broken.write_text(server.config.read_text().replace(f"{ACCOUNT}:role", f"{ACCOUNT[1:]}:role"))
    stage.show(administer("lint", broken.name, directory=broken.parent), good=False)


def explain(stage: Stage, server: WebhookServer, denial: dict[str, Any]) -> None:
    """Show why somebody was refused, by the denial's id in the log."""
    denial_id = denial["denial_id"]
    log = server.config.with_name("server.log")
    log.write_text(json.dumps(denial) + "\n")
    stage.show(f"The log names the denial {denial_id}; `explain --id {denial_id}` tells why:")
    given = ("--id", denial_id, "--log", log.name, "--config", server.config.name)
    told = administer("explain", *given, directory=log.parent)
    stage.show(told[told.index("Nearest") :].strip(), good=False)


def administer(*arguments: str, directory: Path) -> str:
    """Run a verb of ours as the administrator does, and return what it prints."""
    done = subprocess.run(
        [COMMAND, *arguments], cwd=directory, capture_output=True, text=True, check=False
    )
    return done.stdout


def with_kubectl(stage: Stage, server: WebhookServer, directory: Path) -> None:
    """The same through a real API server, where it has been built."""
    try:
        programs = binaries.find()
    except binaries.MissingBinariesError:
        stage.show(
            "\n(`make test` builds a real Kubernetes API server, which this demo then uses.)"
        )
        return
    stage.step("The same with a real kube-apiserver, etcd and kubectl: `kubectl auth whoami`")
    cluster = directory / "cluster"
    cluster.mkdir()
    with ControlPlane(programs, cluster, Options(webhook=Webhook(server.kubeconfig))) as plane:
        exec_plugin = {
            "apiVersion": "client.authentication.k8s.io/v1beta1",
            "command": str(COMMAND),
            "args": ["token", "-i", "demo"],
            "interactiveMode": "Never",
        }
        kubeconfig = plane.kubeconfig("user", {"exec": exec_plugin})
        for principal, good in ((ALICE, True), (BOB, True), (MALLORY, False)):
            environment = {**principal.environment(), "AWS_REGION": "us-west-2"}
            done = plane.kubectl(
                "auth", "whoami", kubeconfig=kubeconfig, env=environment, check=False
            )
            stage.show(f"\n$ kubectl auth whoami   # {principal.arn}")
            stage.show((done.stdout or done.stderr).strip(), good=good)


def review(server: WebhookServer, token: str) -> dict[str, Any]:
    """Post a TokenReview as an API server does, and return the answer's status."""
    with server.poster() as poster:
        status: dict[str, Any] = json.loads(poster.review(token).body)["status"]
    return status


def whom(status: dict[str, Any]) -> str:
    """The user of a review's status in a line."""
    return f"user {status['user']['username']}, groups {', '.join(status['user']['groups'])}"


def shortened(status: dict[str, Any]) -> dict[str, Any]:
    """A review's status without the less telling half of its extras."""
    user = {**status["user"], "extra": {"arn": status["user"]["extra"]["arn"]}}
    return {**status, "user": user}


if __name__ == "__main__":
    sys.exit(main())
