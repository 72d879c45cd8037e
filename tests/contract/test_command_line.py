"""All verbs have one look, although the client's do without click."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest

from authenticator.__main__ import _ADMINISTRATORS, COMMAND
from authenticator.options import Verb
from client import flags, usage

Start = Callable[..., subprocess.CompletedProcess[str]]

# Refuses the import of the packages named in the first argument, as where they are not installed.
BLOCKED = """
import sys
class Blocker:
    absent = sys.argv.pop(1).split(",")
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in self.absent:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Blocker())
from authenticator.__main__ import main
sys.exit(main())
"""
NOT_FOR_ADMINISTRATORS = "flask,werkzeug,gunicorn,prometheus_client,boto3"


@pytest.fixture
def start(tmp_path: Path) -> Start:
    """Runs the command in an empty directory."""

    def run(*arguments: str, absent: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", BLOCKED, absent, *arguments],
            cwd=tmp_path,
            env={"HOME": str(tmp_path), "PYTHONPATH": str(Path(usage.__file__).parents[1])},
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def by_click(name: str, verb: flags.Verb) -> click.Command:
    """The same verb with the same flags, made with click."""
    parameters: list[click.Parameter] = []
    for long, short, value, text in verb.flags:
        if long == "help":
            continue
        choices = value.split("|") if "|" in value else []
        values: dict[str, Any] = {"is_flag": True} if not value else {"metavar": value}
        if choices:
            values = {"type": click.Choice(choices), "default": choices[0], "show_default": True}
        parameters.append(
            click.Option(
                [*([f"-{short}"] if short else []), f"--{long}"],
                help=text.partition("  [default")[0],
                hidden=not text,
                **values,
            )
        )
    if verb.words:
        parameters.append(click.Argument(["words"], metavar=verb.words))
    return Verb(name, params=parameters, help=verb.text, epilog=verb.epilog)


@pytest.mark.parametrize("columns", [40, 60, 80, 100, 140])
@pytest.mark.parametrize("name", flags.TABLE)
def test_a_page_of_the_client_is_what_the_verbs_of_click_have(
    name: str, columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    verb = by_click(name, flags.TABLE[name])

    context = verb.context_class(verb, info_name=f"{COMMAND} {name}", **verb.context_settings)

    assert flags.page(name) == verb.get_help(context)


def test_every_verb_of_the_client_is_in_the_list() -> None:
    assert [name for name, _ in usage.USERS] == list(flags.TABLE)


@pytest.mark.parametrize(
    ("line", "remedy"),
    {
        "an unknown verb": ("tokn", "unknown verb 'tokn'; did you mean token?"),
        "a verb of a group": ("list", "unknown verb 'list'; did you mean mappings list?"),
        "a verb of the AWS CLI": ("update-kubeconfig", "did you mean kubeconfig?"),
        "nothing like it": ("xyzzy", "unknown verb 'xyzzy'; see aws-iam-authenticator --help"),
        "an unknown flag": ("--bogus", "unknown flag --bogus; see aws-iam-authenticator --help"),
        "a mistyped flag": ("--verison", "unknown flag --verison; did you mean --version?"),
        "a flag without verb": ("-i prod", "name a verb after -i prod"),
        "the short flag that others have for the version": ("-v", "use --version"),
        "help for an unknown verb": ("help lnit", "unknown verb 'lnit'; did you mean"),
        "an unknown verb in a group": ("mappings lst", "unknown verb 'lst'; did you mean list?"),
        "a flag of a verb of a group": (
            "mappings list --sourc x",
            "unknown flag --sourc; did you mean --source? See aws-iam-authenticator mappings list",
        ),
        "a flag of a verb with settings": ("lint --fail-n x", "did you mean --fail-on?"),
        "no value": ("lint --fail-on", "Option '--fail-on' requires an argument; see "),
        "another value": ("lint --fail-on x", "'x' is not one of 'error', 'warning', 'note'; see"),
        "another value of the client": ("whoami -o x", "'x' is not one of 'text', 'json'; see"),
        "too many words": ("whoami me", "unexpected argument 'me'; see aws-iam-authenticator who"),
    }.values(),
)
def test_a_wrong_command_line_is_answered_in_one_line(line: str, remedy: str, start: Start) -> None:
    """The help was shown with exit code 0, or no remedy was named."""
    done = start(*line.split())

    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert done.stderr.startswith(f"{COMMAND}: ")
    assert remedy in done.stderr


@pytest.mark.parametrize(
    ("line", "same"),
    [
        ("help token", "token --help"),
        ("help mappings add role", "mappings add role --help"),
        ("help", "--help"),
        ("", "--help"),
        ("-h", "--help"),
        ("--version", "version --short"),
        ("--log-format text help lint", "lint --help"),
    ],
)
def test_two_ways_to_ask(line: str, same: str, start: Start) -> None:
    """`help token` printed the general help, and `--version` as well."""
    done, other = start(*line.split()), start(*same.split())

    assert (done.returncode, done.stdout, done.stderr) == (0, other.stdout, "")


@pytest.mark.parametrize(
    ("verb", "absent", "extra"),
    [
        ("lint", "click", "admin"),
        ("access", "yaml", "admin"),
        ("server", "gunicorn", "server"),
        ("server", "click", "server"),
    ],
)
def test_a_missing_extra_is_named_with_the_command_that_installs_it(
    verb: str, absent: str, extra: str, start: Start
) -> None:
    """An administrator was told to install the server with all that it needs."""
    done = start(verb, "--help", absent=absent)

    assert (done.returncode, done.stdout) == (1, "")
    assert f"{verb} needs the extra '{extra}'" in done.stderr
    assert f"pip install '.[{extra}]'" in done.stderr
    assert f"[{extra}] @ git+https://" in done.stderr


MAPPINGS = "mapRoles:\n- {rolearn: 'arn:aws:iam::111122223333:role/Dev', username: dev}\n"
ROLE = "arn:aws:iam::111122223333:role/Dev"
# What each administrators' verb prints of a file, without a cluster.
ALONE = {
    "mappings list --source file=m.yaml": "role/Dev",
    "mappings export --source file=m.yaml --format access-entries --cluster c": "role/Dev",
    f"mappings remove {ROLE} --source file=m.yaml --dry-run=client --force": "dry run",
    "lint m.yaml": "nothing found in 1 entry",
    f"explain --arn {ROLE} --file m.yaml": "dev",
    "verify -i c --token x": "FAIL",
    f"access what {ROLE} -f rbac.yaml --mappings m.yaml -o json": ROLE,
}


@pytest.mark.parametrize("line", ALONE)
def test_administrators_need_nothing_of_the_server(line: str, start: Start, tmp_path: Path) -> None:
    (tmp_path / "m.yaml").write_text(MAPPINGS)
    (tmp_path / "rbac.yaml").write_text(
        "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\n"
        "metadata: {name: r}\nrules: []\n"
    )
    done = start(*line.split(), absent=NOT_FOR_ADMINISTRATORS)

    assert ALONE[line].lower() in done.stdout.lower(), done.stderr


@pytest.mark.parametrize("verb", [name for name, _ in _ADMINISTRATORS])
def test_every_administrators_verb_starts_without_the_server(verb: str, start: Start) -> None:
    done = start(verb, "--help", absent=NOT_FOR_ADMINISTRATORS)

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"Usage: {COMMAND} {verb} ")


def test_the_client_of_the_api_server_needs_nothing_of_the_server(start: Start) -> None:
    """It is imported when a cluster is asked first."""
    done = start("mappings", "list", "--kubeconfig", "absent", absent=NOT_FOR_ADMINISTRATORS)

    assert "absent" in done.stderr
    assert "needs the extra" not in done.stderr
    assert "Traceback" not in done.stderr
