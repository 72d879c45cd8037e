"""The verb ``doctor``: what stands between you and the cluster, in order, each with a remedy."""

from __future__ import annotations

import http.client
import json
import os
import socket
import sys
import time
import urllib.parse
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from . import clock, command, exec_credential, kubeconfig_file, token, verbs
from .errors import ClientError
from .imports import botocore_session
from .whoami import cluster_view, identity

if TYPE_CHECKING:
    from collections.abc import Callable

    from .credentials import Credentials
    from .endpoints import Endpoint

_CONNECT_SECONDS = 5
_COLOURS = {"ok": "\x1b[32m", "warning": "\x1b[33m", "fault": "\x1b[31m", "skipped": "\x1b[2m"}
_END = "\x1b[0m"


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found: ``ok``, ``warning``, ``fault`` or ``skipped``, and a sentence."""

    status: str
    text: str


class Skipped(Exception):
    """A check that cannot be made because an earlier one failed; the message says which."""


class Examination:
    """The checks; each may use what those before it found out."""

    def __init__(self, flags: Any) -> None:
        self._flags = flags
        self._signer: Credentials | None = None
        self._endpoint: Endpoint | None = None
        self._user: dict[str, Any] | None = None

    def credentials(self) -> Finding:
        """Find credentials, assume the role, read the region."""
        self._signer, self._endpoint = verbs.credentials(self._flags)
        kind = "temporary" if self._signer.session_token else "a long-lived access key"
        return Finding("ok", f"{self._signer.source} ({kind})")

    def region(self) -> Finding:
        """Tell which STS signs, and whether somebody chose it."""
        _, endpoint = self._found()
        settings = token.Surroundings(self._flags.profile).settings
        named = (
            self._flags.region,
            os.environ.get("AWS_REGION"),
            os.environ.get("AWS_DEFAULT_REGION"),
            settings.get("region"),
        )
        if not any(named):
            return Finding(
                "warning",
                f"{endpoint.host}, which stands in where no region is named; set AWS_REGION to the"
                " cluster's, which is nearer and does not depend on us-east-1",
            )
        return Finding("ok", f"{endpoint.region}, {endpoint.host}")

    def proxy(self) -> Finding:
        """Tell which proxy is in the way to STS."""
        proxy = os.environ.get("https_proxy") or os.environ.get("HTTPS_PROXY")
        if not proxy:
            return Finding("ok", "none")
        # Messages go without the URL, which may hold a password.
        try:
            parts = urllib.parse.urlsplit(proxy if "//" in proxy else f"//{proxy}")
            host, port = parts.hostname or "", parts.port or http.client.HTTP_PORT
        except ValueError:
            return Finding("fault", "HTTPS_PROXY is no URL; correct it")
        try:
            socket.create_connection((host, port), timeout=_CONNECT_SECONDS).close()
        except (OSError, UnicodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is no host name"
            return Finding("fault", f"{host}: {reason}; check HTTPS_PROXY")
        return Finding("ok", f"{host}:{port} answers")

    def clock(self) -> Finding:
        """Compare this computer's clock with that of STS."""
        _, endpoint = self._found()
        date = botocore_session(self._flags.profile).date_of(endpoint.host)
        now = time.time()
        if complaint := clock.complaint(date, now=now):
            return Finding("fault", complaint)
        ahead = clock.difference(date, now=now)
        if ahead is None:
            return Finding("warning", f"{endpoint.host} did not tell the time; is it STS?")
        return Finding("ok", f"{abs(ahead):.0f} s off AWS's")

    def identity(self) -> Finding:
        """Ask STS whose the credentials are."""
        signer, endpoint = self._found()
        found = identity(signer, profile=self._flags.profile, region=endpoint.region)
        return Finding("ok", found["arn"])

    def kubeconfig(self) -> Finding:
        """Find the user of kubectl's current context."""
        shown = kubeconfig_file.kubectl("config", "view", "--minify", "--output=json")
        if shown.returncode:
            return Finding(
                "fault",
                f"{_last(shown.stderr)}; run `{command.COMMAND} kubeconfig` or"
                " `kubectl config use-context`",
            )
        content = json.loads(shown.stdout)
        self._user = (content.get("users") or [{}])[0].get("user", {})
        return Finding("ok", f"the current context is {content['current-context']}")

    def plugin(self) -> Finding:
        """Check how the user's entry runs the plugin."""
        if self._user is None:
            raise Skipped("no kubeconfig")
        plugin = self._user.get("exec")
        if not plugin:
            return Finding(
                "warning",
                f"the context's user runs no plugin; write one with `{command.COMMAND} kubeconfig`",
            )
        version = plugin.get("apiVersion")
        if version not in exec_credential.VERSIONS[:2]:
            return Finding(
                "fault",
                f"apiVersion {version} is not one that kubectl takes since 1.24; set it to"
                f" {exec_credential.VERSIONS[0]}",
            )
        return Finding("ok", f"{plugin.get('command')}, {version}")

    def cluster(self) -> Finding:
        """Log in."""
        if self._user is None:
            raise Skipped("no kubeconfig")
        view = cluster_view()
        if error := view.get("error"):
            return Finding(
                "fault",
                f"{error}; if it is Unauthorized, ask the cluster's administrator for a mapping of"
                f" the ARN above (`{command.COMMAND} whoami`), otherwise check the way there",
            )
        return Finding("ok", f"logged in as {view['username']}")

    def checks(self) -> tuple[tuple[str, Callable[[], Finding]], ...]:
        """Return the checks with their names, in order."""
        return (
            ("credentials", self.credentials),
            ("region", self.region),
            ("proxy", self.proxy),
            ("clock", self.clock),
            ("identity", self.identity),
            ("kubeconfig", self.kubeconfig),
            ("plugin", self.plugin),
            ("cluster", self.cluster),
        )

    def _found(self) -> tuple[Credentials, Endpoint]:
        if self._signer is None or self._endpoint is None:
            raise Skipped("no credentials")
        return self._signer, self._endpoint


def main(arguments: list[str]) -> int:
    """Run the verb; the exit code is 1 if a check found a fault, or could not be made."""
    findings: list[Finding] = []
    code = command.answer(_run, arguments, findings)
    return code or int(any(finding.status == "fault" for finding in findings))


def _run(arguments: list[str], findings: list[Finding]) -> str:
    flags = verbs.parser(
        "doctor", "Check, in order, what a login to the cluster of kubectl's context needs."
    ).parse_args(arguments)
    checks = Examination(flags).checks()
    findings += [_examine(check) for _, check in checks]
    named = list(zip((name for name, _ in checks), findings, strict=True))
    if flags.output == "json":
        return json.dumps(
            [{"check": name, "status": it.status, "text": it.text} for name, it in named]
        )
    colours = _COLOURS if sys.stdout.isatty() and "NO_COLOR" not in os.environ else {}
    end = _END if colours else ""
    return "\n".join(
        f"{colours.get(it.status, '')}{it.status:<8}{end} {name:<12} {command.one_line(it.text)}"
        for name, it in named
    )


def _examine(check: Callable[[], Finding]) -> Finding:
    try:
        return check()
    except ClientError as error:
        return Finding("fault", command.one_line(str(error)))
    except Skipped as error:
        return Finding("skipped", str(error))


def _last(text: str) -> str:
    return (text.strip().splitlines() or ["no reason given"])[-1]
