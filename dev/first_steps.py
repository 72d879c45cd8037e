"""The first steps and the typical mistakes of users, administrators and operators, typed for real.

`.venv/bin/python -m dev.first_steps` plays them with a real API server and the AWS double, and
writes docs/first-steps.md. tests/e2e/test_first_steps.py holds both next to each other.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dev.aws_double import AwsDouble
from dev.aws_double.principals import user
from dev.cluster import ControlPlane, Options, Webhook, binaries
from dev.server import COMMAND, WebhookServer, write_config

PAGE = Path(__file__).resolve().parents[1] / "docs" / "first-steps.md"
_ALICE = user("111122223333", "alice")
_CLUSTER = "prod"
_SHOWN_LINES = 14
_HEAD = """\
# First steps, and what happens when they go wrong

Each line was typed into a shell, with a real API server; `python -m dev.first_steps` makes this
page. Lines of standard error begin with `!`. Long output is cut off, and what differs from run to
run (paths, ports, tokens, times) stands in one form.
"""


@dataclass(frozen=True, slots=True)
class Step:
    """A line that somebody types, and what has to come of it.

    Attributes:
        aim: why it is typed.
        line: for bash.
        code: its exit code.
        out: what standard output has to hold; "" if it has to be empty.
        err: what standard error has to hold; "" if it has to be empty.
    """

    aim: str
    line: str
    code: int = 0
    out: str = ""
    err: str = ""


@dataclass(frozen=True, slots=True)
class Result:
    """What a step left behind."""

    code: int
    out: str
    err: str


_A = "aws-iam-authenticator"
_DEV = "arn:aws:iam::111122223333:role/Dev"
_ADMIN = "arn:aws:iam::111122223333:role/Admin"
USERS = (
    Step("See what there is", _A, out="Users:"),
    Step("Which version is it?", f"{_A} --version", out="v"),
    Step("The help of a verb", f"{_A} help token", out="--token-only"),
    Step(
        "A mistyped verb",
        f"{_A} tokn -i prod",
        2,
        err="unknown verb 'tokn'; did you mean token? See aws-iam-authenticator --help",
    ),
    Step(
        "A mistyped flag",
        f"{_A} token --clusterid prod",
        2,
        err="unknown flag --clusterid; did you mean --cluster-id?",
    ),
    Step("An unknown flag before the verb", f"{_A} --bogus", 2, err="unknown flag --bogus"),
    Step("The name that others use", f"{_A} update-kubeconfig", 2, err="did you mean kubeconfig?"),
    Step("A token, without a cluster", f"{_A} token", 1, err="no cluster id; give"),
    Step("A token", f"{_A} token -i prod --token-only", out="k8s-aws-v1."),
    Step(
        "A profile that does not exist",
        f"{_A} token -i prod --profile alise",
        1,
        err="correct --profile or add the profile to",
    ),
    Step(
        "Half of the credentials",
        f"AWS_SECRET_ACCESS_KEY= {_A} token -i prod",
        1,
        err="AWS_ACCESS_KEY_ID is set but AWS_SECRET_ACCESS_KEY is not",
    ),
    Step("Who am I for AWS?", f"{_A} whoami", out="arn:aws:iam::111122223333:user/alice"),
    Step(
        "A form of output that it does not have",
        f"{_A} whoami -o yaml",
        2,
        err="'yaml' is not one of 'text', 'json'; see aws-iam-authenticator whoami --help",
    ),
    Step(
        "A kubeconfig, with a server that is no URL",
        f"{_A} kubeconfig -i prod --server 127.0.0.1:6443 --certificate-authority ca.pem",
        1,
        err="is not a URL; give one such as https://",
    ),
    Step(
        "A kubeconfig, looked at first",
        f'{_A} kubeconfig -i prod --server "$SERVER" --certificate-authority ca.pem --dry-run',
        out="DATA+OMITTED",
    ),
    Step(
        "A kubeconfig",
        f'{_A} kubeconfig -i prod --server "$SERVER" --certificate-authority ca.pem',
        out="Added context 'prod'",
    ),
    Step("kubectl logs in", "kubectl auth whoami", out="alice"),
    Step("Is everything as it should be?", f"{_A} doctor", out="Ready: kubectl can log in."),
    Step(
        "Completion for a shell that it does not know",
        f"{_A} completion tcsh",
        2,
        err="name one shell: aws-iam-authenticator completion ",
    ),
)
ADMINISTRATORS = (
    Step("What is mapped?", f"{_A} mappings list", out="no entries"),
    Step("kubectl's verb, without the group", f"{_A} list", 2, err="did you mean mappings list?"),
    Step("A mistyped verb of the group", f"{_A} mappings lits", 2, err="did you mean list?"),
    Step(
        "The wrong kubeconfig",
        f"{_A} mappings list --kubeconfig absent.yaml",
        1,
        err="absent.yaml",
    ),
    Step(
        "An entry, from a script that cannot answer",
        f"{_A} mappings add {_ADMIN} --username admin --groups system:masters",
        1,
        out="+- rolearn:",
        err="pass --yes to apply, or --dry-run=client to preview",
    ),
    Step(
        "What would it change?",
        f"{_A} mappings add {_ADMIN} --username admin --groups system:masters --dry-run",
        out="nothing has been written (dry run)",
    ),
    Step(
        "Write it",
        f"{_A} mappings add {_ADMIN} --username admin --groups system:masters --yes",
        out="done: add",
    ),
    Step(
        "An ARN that lacks a digit",
        f"{_A} mappings add arn:aws:iam::11112222333:role/Dev --username dev --yes",
        1,
        out="+",
        err="its account id is not 12 digits",
    ),
    Step(
        "A date in words",
        f"{_A} mappings add {_DEV} --username dev --expires tomorrow --yes",
        2,
        err="tomorrow",
    ),
    Step(
        "A second entry",
        f"{_A} mappings add {_DEV} --username dev --groups developers --yes",
        out="done: add",
    ),
    Step(
        "A group for two hours, where it would last",
        f"{_A} mappings grant {_DEV} --group deployers --for 2h --reason 'release 12' --yes",
        1,
        out="expires:",
        err="refused (expires-ignored): no server of kube-iam-authenticator can be seen",
    ),
    Step("The table", f"{_A} mappings list", out=_DEV),
    Step("For a script", f"{_A} mappings list -o name", out="mapRoles[1]"),
    Step(
        "Remove the last administrator",
        f"{_A} mappings delete {_ADMIN} --yes",
        1,
        out="-",
        err="this would remove the last permanent administrator",
    ),
    Step("Why may someone enter?", f"{_A} explain --arn {_DEV} --cluster", out="dev"),
    Step(
        "Why may someone not enter?",
        f"{_A} explain --arn arn:aws:iam::111122223333:role/Dve --cluster",
        1,
        out="role/Dev",
    ),
    Step(
        "Without saying where",
        f"{_A} explain --arn {_DEV}",
        2,
        err="Say where the mappings are: --config, ",
    ),
    Step("Who can read pods?", f"{_A} access who-can get po", out=_ADMIN, err="note: "),
    Step(
        "A resource that does not exist",
        f"{_A} access who-can get secert",
        2,
        err="there is no resource 'secert'; did you mean secret?",
    ),
    Step("What was changed?", f"{_A} mappings history", out="rollback 2"),
    Step("Take the last edit back", f"{_A} mappings rollback --yes", out="-"),
    Step(
        "The reference's verb, from a script",
        f"{_A} add role --rolearn {_DEV}2 --username dev2 --groups developers",
        1,
        out="+",
        err="pass --prompt=false to apply",
    ),
    Step("Check a file", f"{_A} lint aws-auth.yaml", 1, out="[bad-arn]"),
    Step("What does that mean?", f"{_A} lint --explain bad-arn", out="Bad:"),
    Step(
        "A mistyped rule",
        f"{_A} lint --disable bad-arm aws-auth.yaml",
        2,
        err="there is no rule 'bad-arm'; did you mean bad-arn?",
    ),
    Step(
        "A file that is not there", f"{_A} lint missing.yaml", 1, err="missing.yaml cannot be read"
    ),
)
OPERATORS = (
    Step("Start the server", f"{_A} server", 1, err="no clusterID is set: give the key clusterID"),
    Step(
        "With a config file that is not there",
        f"{_A} server --config absent.yaml",
        1,
        err="absent.yaml: cannot be read: No such file or directory",
    ),
    Step(
        "With a source that does not exist",
        f"{_A} server --config broken.yaml",
        1,
        err="EKSConfigmap2 given where one of MountedFile, EKSConfigMap",
    ),
    Step(
        "A mistyped flag",
        f"{_A} server --prot 21362",
        2,
        err="unknown flag --prot; did you mean --port?",
    ),
    Step("A port that is none", f"{_A} server -i prod --port 70000", 1, err="flag --port: "),
    Step("The files, before the first start", f"{_A} init -i prod", out="cert.pem"),
    Step("The next certificate", f"{_A} rotate -i prod", out="rotate --switch"),
    Step("Switch to it", f"{_A} rotate -i prod --switch", out="in use now"),
    Step("Check something that is no token", f"{_A} verify -i prod -t abc", 1, out="FAIL prefix"),
    Step(
        "Check a token",
        f"{_A} token -i prod --token-only | {_A} verify -i prod -t -",
        out="proved the signature",
    ),
)
PERSONS = {"Users": USERS, "Administrators": ADMINISTRATORS, "Operators": OPERATORS}
_FILES = {
    "aws-auth.yaml": "mapRoles:\n"
    "  - {rolearn: 'arn:aws:iam::11112222333:role/Dev', username: dev, groups: [developers]}\n",
    "broken.yaml": "clusterID: prod\nserver:\n  backendMode: [EKSConfigmap2]\n",
}
# What differs from run to run, and how the page shows it.
_VARIES = (
    (re.compile(r"k8s-aws-v1\.[\w-]+"), "k8s-aws-v1.aHR0cHM6Ly9zdHMuZXUtd2VzdC0xLmFtYXpvb..."),
    (re.compile(r"(127\.0\.0\.1|localhost):\d+"), r"\1:6443"),
    (re.compile(r"2\d\d\d-\d\d-\d\d([T ])\d\d:\d\d:\d\dZ"), r"2031-01-31\g<1>12:00:00Z"),
    (re.compile(r"2\d\d\d-\d\d-\d\d"), "2031-01-31"),
    (re.compile(r"sha256 [0-9a-f]{12}"), "sha256 0123456789ab"),
    (re.compile(r"\bin sync with AWS \(\d+ s\)"), "in sync with AWS (0 s)"),
    (re.compile(r"\b\d+s ago"), "9s ago"),
    (re.compile(r"\(in (1h59m|2h)\)"), "(in 2h)"),
    (re.compile(r"(?<=9s ago\)) +"), "   "),
    (re.compile(r"(?<=^EDIT   WHEN) +"), " " * 28),
    (re.compile(r"\bv\d+\.\d+\.\d+\b"), "v0.8.0"),
)


class Desk:
    """Where the steps are typed: one directory, an API server, and credentials of one user."""

    def __init__(self, directory: Path, environment: dict[str, str]) -> None:
        self._directory = directory
        self._environment = environment

    def run(self, step: Step) -> Result:
        """Type a line."""
        done = subprocess.run(
            ["bash", "-c", step.line],
            cwd=self._directory,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        return Result(done.returncode, self._even(done.stdout), self._even(done.stderr))

    def _even(self, text: str) -> str:
        text = text.replace(str(COMMAND.parent), "/usr/local/bin")
        text = text.replace(f"{self._directory}/", "").replace(str(self._directory), ".")
        for pattern, form in _VARIES:
            text = pattern.sub(form, text)
        return text


def play(directory: Path) -> dict[str, list[tuple[Step, Result]]]:
    """Type every step, in order, and return what came of each by person."""
    directory = directory.resolve()
    for name, content in _FILES.items():
        (directory / name).write_text(content)
    with ExitStack() as running:
        aws = running.enter_context(AwsDouble([_ALICE]))
        server_directory = directory / "server"
        server_directory.mkdir()
        server = running.enter_context(
            WebhookServer(write_config(server_directory, _server_config()), aws.environment())
        )
        programs = binaries.find()
        cluster = directory / "cluster"
        cluster.mkdir()
        plane = running.enter_context(
            ControlPlane(programs, cluster, Options(webhook=Webhook(server.kubeconfig)))
        )
        (directory / "ca.pem").write_bytes(plane.ca.read_bytes())
        environment = {
            **aws.environment(),
            "PATH": f"{COMMAND.parent}{os.pathsep}{programs.kubectl.parent}{os.pathsep}"
            + os.environ["PATH"],
            "HOME": str(directory),
            "AWS_REGION": "eu-west-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "SERVER": plane.server,
            "COLUMNS": "100",
        }
        user_environment = {**environment, **_ALICE.environment()}
        administrator = {**environment, "KUBECONFIG": str(plane.admin_kubeconfig)}
        desks = {
            "Users": Desk(directory, user_environment),
            "Administrators": Desk(directory, administrator),
            "Operators": Desk(directory, user_environment),
        }
        return {
            person: [(step, desks[person].run(step)) for step in steps]
            for person, steps in PERSONS.items()
        }


def _server_config() -> dict[str, Any]:
    entry = {"userarn": _ALICE.arn, "username": "alice", "groups": ["system:masters"]}
    return {"clusterID": _CLUSTER, "server": {"mapUsers": [entry]}}


def page(played: dict[str, list[tuple[Step, Result]]]) -> str:
    """Return the page."""
    parts = [_HEAD]
    for person, steps in played.items():
        parts.append(f"## {person}\n")
        for step, result in steps:
            lines = [f"$ {step.line}", *_shown(result.out, ""), *_shown(result.err, "! ")]
            if result.code:
                lines.append(f"(exit code {result.code})")
            parts.append("\n".join([f"**{step.aim}**", "", "```text", *lines, "```", ""]))
    return "\n".join(parts)


def _shown(text: str, mark: str) -> list[str]:
    lines = [f"{mark}{line}".rstrip() for line in text.rstrip("\n").split("\n")] if text else []
    return [*lines[:_SHOWN_LINES], "[...]"] if len(lines) > _SHOWN_LINES else lines


def main() -> int:
    """Write the page."""
    with tempfile.TemporaryDirectory(prefix="first-steps-") as directory:
        PAGE.write_text(page(play(Path(directory))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
