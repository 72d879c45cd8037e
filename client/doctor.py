"""The verb ``doctor``: what a login needs, in order, each fault with a remedy.

It examines what kubectl runs: the plugin of the context's user with its arguments and variables.
Flags of the command line come before those of the plugin.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import shutil
import socket
import subprocess
import sys
import textwrap
import time
import urllib.parse
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from . import (
    clock,
    command,
    current_user,
    endpoints,
    exec_credential,
    flags,
    jwt_claims,
    jwt_token,
    kubeconfig_file,
    proxy,
    token,
    verbs,
)
from .errors import ClientError
from .imports import botocore_session
from .whoami import cluster_view

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from .credentials import Credentials
    from .current_user import CurrentUser, Plugin
    from .endpoints import Endpoint

_CONNECT_SECONDS = 5
_PLUGIN_SECONDS = 60
_COLOURS = {"ok": "\x1b[32m", "warning": "\x1b[33m", "fault": "\x1b[31m", "skipped": "\x1b[2m"}
_END = "\x1b[0m"
_INDENT = " " * len("skipped  credentials  ")
_OK = 200
_REFUSED = (
    "the cluster refuses this identity: ask its administrator for a mapping of the ARN above, and"
    " check that the plugin signs for this cluster"
)
_REFUSED_JWT = (
    "the cluster refuses this JWT: ask its administrator whether the server lists the issuer and"
    " audience above, and for a mapping of the ARN"
)
# What kubectl says, and what to do about it; the first that is found counts.
_CURES = {
    "unknown authority": (
        "the cluster's certificate authority has changed, or the server is another one: run"
        f" `{command.COMMAND} kubeconfig --refresh` (EKS), or correct certificate-authority-data"
    ),
    "credential plugin allowlist": (
        "kubectl's kuberc does not allow this plugin: add its name to credentialPluginAllowlist"
        " (`kubectl kuberc view`)"
    ),
    "credential plugin policy": (
        "kubectl's kuberc allows no plugin: change credentialPluginPolicy (`kubectl kuberc view`)"
    ),
    "logged in to the server": _REFUSED,
    "Unauthorized": _REFUSED,
    "getting credentials": "see the line of the plugin above",
}
_OTHER_CURE = "check the server's address, the network and HTTPS_PROXY"


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found: ``ok``, ``warning``, ``fault`` or ``skipped``, and a sentence."""

    status: str
    text: str


class Skipped(Exception):
    """A check that cannot be made because an earlier one failed; the message says which."""


class Examination:
    """The checks; each may use what those before it found."""

    def __init__(self, given: Any) -> None:
        self._flags = given
        self._signer: Credentials | None = None
        self._endpoint: Endpoint | None = None
        self._user: CurrentUser | None = None
        self._plugin: Plugin | None = None
        self._token = ""

    def kubeconfig(self) -> Finding:
        """Find the user of kubectl's context, and take the plugin's flags and variables."""
        self._user = current_user.current(self._flags.context)
        found = f"context {self._user.context}, cluster {self._user.cluster}"
        plugin = self._user.plugin
        if plugin is None:
            return Finding(
                "warning",
                f"{found}; its user runs no plugin: write one with `{command.COMMAND} kubeconfig`",
            )
        self._plugin = plugin
        verbs.adopt(self._flags, plugin.flags())
        os.environ.update(plugin.environment)
        return Finding("ok", f"{found}; kubectl runs: {plugin.line()}")

    def plugin(self) -> Finding:
        """Run the plugin as kubectl does."""
        if self._plugin is None:
            raise Skipped("no plugin")
        version = self._plugin.api_version
        if version not in exec_credential.VERSIONS[:2]:
            return Finding(
                "fault",
                f"apiVersion {version or '(none)'} is not one that kubectl takes since 1.24; set it"
                f" to {exec_credential.DEFAULT_VERSION}",
            )
        directory = kubeconfig_file.default_of(kubeconfig_file.paths()).parent
        program = self._plugin.find(directory)
        if program is None:
            return Finding(
                "fault",
                f"{self._plugin.command} is not there, or not on the PATH that kubectl searches;"
                " install it, or correct `command` in the kubeconfig",
            )
        self._token = _run_plugin(self._plugin, program)
        cluster_id = self._plugin.signed_cluster
        return Finding("ok", f"{program}, signs for the cluster id {cluster_id or '(unknown)'}")

    def credentials(self) -> Finding:
        """Find credentials, assume the role, read the region."""
        self._signer, self._endpoint = verbs.credentials(self._flags)
        kind = "temporary" if self._signer.session_token else "a long-lived access key"
        return Finding("ok", f"{self._signer.source} ({kind})")

    def region(self) -> Finding:
        """Tell which STS signs, and whether somebody chose it."""
        _, endpoint = self._found()
        settings = token.Surroundings(self._flags.profile).settings
        if not (self._flags.region or token.named_region(settings)):
            return Finding(
                "warning",
                f"{endpoint.host}, the default where no Region is named; set AWS_REGION to the"
                " cluster's, which is nearer and does not depend on us-east-1",
            )
        return Finding("ok", f"{endpoint.region}, {endpoint.host}")

    def proxy(self) -> Finding:
        """Tell which proxy is in the way to STS."""
        sts = self._endpoint.host if self._endpoint else "sts.amazonaws.com"
        url = proxy.for_url(f"https://{sts}/")
        if not url:
            return Finding("ok", "none")
        # Messages go without the URL, which may hold a password.
        try:
            parts = urllib.parse.urlsplit(url)
            host, port = parts.hostname or "", parts.port or proxy.PORTS[parts.scheme]
        except (ValueError, KeyError):
            return Finding("fault", "HTTPS_PROXY is not a URL; correct it")
        try:
            socket.create_connection((host, port), timeout=_CONNECT_SECONDS).close()
        except (OSError, UnicodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not a host name"
            return Finding("fault", f"{host}: {reason}; check HTTPS_PROXY")
        return Finding("ok", f"{host}:{port} answers")

    def clock(self) -> Finding:
        """Compare this computer's clock with that of STS."""
        _, endpoint = self._found()
        _, headers, _ = botocore_session(self._flags.profile).fetch(f"https://{endpoint.host}/", {})
        date, now = headers.get("date", ""), time.time()
        if complaint := clock.complaint(date, now=now):
            return Finding("fault", complaint)
        ahead = clock.difference(date, now=now)
        if ahead is None:
            return Finding("warning", f"{endpoint.host} did not tell the time; is it STS?")
        return Finding("ok", f"in sync with AWS ({abs(ahead):.0f} s)")

    def identity(self) -> Finding:
        """Have STS say whose the plugin's token is, as the cluster's webhook does."""
        cluster_id = self._cluster_id()
        if verbs.wants_jwt(self._flags) and not jwt_claims.looks_like_one(self._token):
            self._token = verbs.jwt(self._flags, cluster_id).value
        if jwt_claims.looks_like_one(self._token):
            return _of_jwt(self._token, self._flags.audience, cluster_id, now=time.time())
        if not self._token:
            signer, endpoint = self._found()
            self._token = token.sign(signer, cluster_id or "none", endpoint, now=time.time()).value
        return _proven(self._token, cluster_id or "none", self._flags.profile)

    def cluster(self) -> Finding:
        """Log in."""
        if self._user is None:
            raise Skipped("no kubeconfig")
        view = cluster_view(self._flags.context)
        if error := view.get("error"):
            cure = next((cure for phrase, cure in _CURES.items() if phrase in error), _OTHER_CURE)
            if cure == _REFUSED and jwt_claims.looks_like_one(self._token):
                cure = _REFUSED_JWT
            return Finding("fault", f"{error}; {cure}")
        return Finding("ok", f"logged in as {view['username']}")

    def checks(self) -> tuple[tuple[str, Callable[[], Finding]], ...]:
        """Return the checks with their names, in order."""
        return (
            ("kubeconfig", self.kubeconfig),
            ("plugin", self.plugin),
            ("credentials", self.credentials),
            ("region", self.region),
            ("proxy", self.proxy),
            ("clock", self.clock),
            ("identity", self.identity),
            ("cluster", self.cluster),
        )

    def _cluster_id(self) -> str:
        return self._plugin.signed_cluster if self._plugin else ""

    def _found(self) -> tuple[Credentials, Endpoint]:
        if self._signer is None or self._endpoint is None:
            raise Skipped("no credentials")
        return self._signer, self._endpoint


def _run_plugin(plugin: Plugin, program: Path) -> str:
    """Return the token that the plugin prints.

    Raises:
        ClientError: it failed; the message has what it wrote to stderr.
    """
    version = plugin.api_version
    asked = {
        "kind": "ExecCredential",
        "apiVersion": version,
        "spec": {"interactive": sys.stdin is not None and sys.stdin.isatty()},
    }
    environ = {**os.environ, **plugin.environment, "KUBERNETES_EXEC_INFO": json.dumps(asked)}
    try:
        done = subprocess.run(  # noqa: S603 - what the user's kubeconfig has kubectl run
            [program, *plugin.arguments],
            env=environ,
            capture_output=True,
            text=True,
            check=False,
            timeout=_PLUGIN_SECONDS,
        )
    except (OSError, ValueError) as error:
        raise ClientError(f"{program} cannot be run: {error}") from error
    except subprocess.TimeoutExpired as error:
        raise ClientError(f"{program} took longer than {_PLUGIN_SECONDS} s") from error
    if done.returncode:
        said = kubeconfig_file.last_line(done.stderr).removeprefix(f"{command.COMMAND}: ")
        raise ClientError(f"it fails with exit code {done.returncode}: {said}")
    try:
        answer = json.loads(done.stdout)
        value, answered = answer["status"]["token"], answer["apiVersion"]
    except (ValueError, KeyError, TypeError) as error:
        raise ClientError(f"{program} prints no ExecCredential with a token") from error
    if answered != version or not isinstance(value, str):
        raise ClientError(f"{program} answers in {answered}, and the kubeconfig asks for {version}")
    return value


def _proven(value: str, cluster_id: str, profile: str | None) -> Finding:
    """Ask STS whose a token is."""
    try:
        text = value.removeprefix(token.PREFIX)
        url = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()
        parts = urllib.parse.urlsplit(url)
        scope = urllib.parse.parse_qs(parts.query)["X-Amz-Credential"][0].split("/")
        known = endpoints.hosts(scope[2])
    except (ValueError, KeyError, IndexError, binascii.Error, ClientError):
        return Finding("warning", "the plugin's token is not a signed request to STS")
    if parts.scheme != "https" or parts.netloc not in known:
        return Finding("warning", f"the plugin's token is for {parts.netloc}, which is not STS")
    headers = {"x-k8s-aws-id": cluster_id, "Accept": "application/json"}
    status, _, body = botocore_session(profile).fetch(url, headers)
    try:
        answer = json.loads(body)
        if status == _OK:
            result = answer["GetCallerIdentityResponse"]["GetCallerIdentityResult"]
            return Finding("ok", f"{result['Arn']} at {parts.netloc}")
        fault = answer["Error"]
        return Finding(
            "fault",
            f"STS refuses the token: {fault['Code']}: {str(fault['Message']).splitlines()[0]};"
            " correct the credentials, or the clock",
        )
    except (ValueError, KeyError, TypeError, IndexError):
        return Finding("fault", f"{parts.netloc} answers {status}, and not as STS does")


def _of_jwt(value: str, audience: str | None, cluster_id: str, *, now: float) -> Finding:
    """Tell what a JWT says of itself; only the cluster's webhook can verify it.

    Args:
        value: the token.
        audience: that of the flags, if any.
        cluster_id: empty if it is unknown.
        now: seconds since the epoch.
    """
    claims = jwt_claims.read(value)
    said = jwt_claims.summary(claims)
    expected = audience or (jwt_token.AUDIENCE_PREFIX + cluster_id if cluster_id else "")
    if expected and said["audience"] != expected:
        return Finding(
            "fault",
            f"the JWT is for the audience {said['audience']}, and the cluster's is {expected};"
            " correct -i or --audience in the kubeconfig",
        )
    if claims["exp"] <= now:
        end = exec_credential.rfc3339(claims["exp"])
        return Finding("fault", f"the JWT ended at {end}; correct this computer's clock")
    first = ("subject", "audience", "issuer")
    more = [
        f"{name} {shown if isinstance(shown, str) else json.dumps(shown)}"
        for name, shown in said.items()
        if name not in first
    ]
    return Finding(
        "ok",
        f"a JWT of {said['subject']} for {said['audience']}, issued by {said['issuer']}"
        f" ({', '.join(more)})",
    )


def main(arguments: list[str]) -> int:
    """Run the verb; the exit code is 1 if a check found a fault."""
    findings: list[Finding] = []
    code = flags.run("doctor", arguments, _run, findings)
    return code or int(any(finding.status == "fault" for finding in findings))


def _run(given: Any, findings: list[Finding]) -> str:
    checks = Examination(given).checks()
    findings += [_examine(check) for _, check in checks]
    named = list(zip((name for name, _ in checks), findings, strict=True))
    if given.output == "json":
        return json.dumps(
            [{"check": name, "status": it.status, "text": it.text} for name, it in named]
        )
    lines = [_line(name, finding) for name, finding in named]
    return "\n".join([*lines, "", _summary(named)])


def _line(name: str, finding: Finding) -> str:
    terminal = sys.stdout.isatty()
    text = command.one_line(finding.text)
    if terminal:
        width = shutil.get_terminal_size().columns
        wrapped = textwrap.wrap(
            text, width, initial_indent=_INDENT, subsequent_indent=_INDENT, break_on_hyphens=False
        )
        text = "\n".join(wrapped).removeprefix(_INDENT)
    coloured = terminal and "NO_COLOR" not in os.environ
    colour, end = (_COLOURS[finding.status], _END) if coloured else ("", "")
    return f"{colour}{finding.status:<8}{end} {name:<12} {text}"


def _summary(named: list[tuple[str, Finding]]) -> str:
    faults = [name for name, finding in named if finding.status == "fault"]
    warnings = [name for name, finding in named if finding.status == "warning"]
    if faults:
        return f"Not ready: correct {', '.join(faults)} first."
    if warnings:
        return f"Ready, with remarks on {', '.join(warnings)}."
    return "Ready: kubectl can log in."


def _examine(check: Callable[[], Finding]) -> Finding:
    try:
        return check()
    except ClientError as error:
        return Finding("fault", command.one_line(str(error)))
    except Skipped as error:
        return Finding("skipped", str(error))
