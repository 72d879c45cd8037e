"""The verb ``whoami``: the identity that a token would carry, and whom the cluster takes it for."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from . import (
    cluster,
    command,
    current_user,
    exec_credential,
    flags,
    jwt_claims,
    kubeconfig_file,
    verbs,
)
from .errors import ClientError
from .imports import botocore_session

if TYPE_CHECKING:
    from .credentials import Credentials

_UNKNOWN = "unknown"


def main(arguments: list[str]) -> int:
    """Run the verb; the exit code is 1 if the cluster, once asked, did not take the identity."""
    failed: list[str] = []
    return flags.run("whoami", arguments, _run, failed) or int(bool(failed))


def _run(given: Any, failed: list[str]) -> str:
    seen = bool(given.cluster or given.context)
    shown: dict[str, Any] = {}
    if seen:
        shown = _plugin(given)
    signer, endpoint = verbs.credentials(given)
    shown |= {
        **identity(signer, profile=given.profile, region=endpoint.region),
        "source": signer.source,
        "expires": _time(signer),
        "accessKeyId": signer.access_key,
        "sts": endpoint.host,
    }
    if verbs.wants_jwt(given):
        token = verbs.jwt(given, _cluster_id(given, shown))
        claims = jwt_claims.read(token.value)
        end = exec_credential.rfc3339(token.expiration)
        shown["jwt"] = {**jwt_claims.summary(claims), "expires": end}
    if seen:
        shown["cluster"] = cluster_view(given.context)
        failed += [str(shown["cluster"]["error"])] if "error" in shown["cluster"] else []
    if given.output == "json":
        return json.dumps(shown)
    lines = dict(shown)
    for name, value in lines.pop("jwt", {}).items():
        lines[f"jwt {name}"] = value if isinstance(value, str) else json.dumps(value)
    return "\n".join(
        f"{name + ':':<13} {command.one_line(_text(value))}" for name, value in lines.items()
    )


def _cluster_id(given: Any, shown: dict[str, Any]) -> str:
    """Return the cluster that a JWT is for: that of the flag, the plugin or the environment."""
    signs_for = shown.get("signsFor", _UNKNOWN)
    plugin = "" if signs_for == _UNKNOWN else str(signs_for)
    return given.cluster_id or plugin or os.environ.get(cluster.VARIABLE, "")


def _plugin(given: Any) -> dict[str, Any]:
    """Return how kubectl gets the user's credentials, and take its flags and variables."""
    user = current_user.current(given.context)
    plugin = user.plugin
    if plugin is None:
        return {"context": user.context, "plugin": "none: the user's entry runs no program"}
    verbs.adopt(given, plugin.flags())
    os.environ.update(plugin.environment)
    return {
        "context": user.context,
        "plugin": plugin.line(),
        "signsFor": plugin.signed_cluster or _UNKNOWN,
    }


def identity(signer: Credentials, *, profile: str | None, region: str) -> dict[str, str]:
    """Return what STS says of credentials: ``arn``, ``account`` and ``userId``.

    The profile is whose settings say how to reach STS.

    Raises:
        ClientError: STS refused or could not be reached.
    """
    answer = botocore_session(profile).call("sts", "get_caller_identity", signer, region=region)
    return {"arn": answer["Arn"], "account": answer["Account"], "userId": answer["UserId"]}


def cluster_view(context: str | None = None) -> dict[str, Any]:
    """Return the user of a context as the cluster sees it, or why it is unknown."""
    chosen = ("--context", context) if context else ()
    try:
        shown = kubeconfig_file.kubectl(
            "auth", "whoami", "--output=json", "--request-timeout=10s", *chosen
        )
    except ClientError as error:
        return {"error": str(error)}
    if shown.returncode:
        # kubectl adds advice of many lines to a plugin that is missing.
        found = [line for line in shown.stderr.splitlines() if "exec: executable" in line]
        return {"error": found[0] if found else kubeconfig_file.last_line(shown.stderr)}
    try:
        user = json.loads(shown.stdout)["status"]["userInfo"]
        return {"username": user["username"], "groups": user.get("groups", [])}
    except (ValueError, KeyError, TypeError):
        return {"error": "kubectl auth whoami printed no user; is it older than 1.28?"}


def _time(signer: Credentials) -> str:
    if signer.expiration is None:
        return "never" if signer.session_token is None else "unknown"
    return exec_credential.rfc3339(signer.expiration)


def _text(value: Any) -> str:
    if not isinstance(value, dict):
        return str(value)
    if "error" in value:
        return f"unknown: {value['error']}"
    return f"{value['username']} (groups: {', '.join(value['groups']) or 'none'})"
