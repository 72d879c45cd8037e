"""The verb ``whoami``: the identity that a token would carry, and whom the cluster takes it for."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from . import command, kubeconfig_file, verbs
from .errors import ClientError
from .imports import botocore_session

if TYPE_CHECKING:
    from .credentials import Credentials


def main(arguments: list[str]) -> int:
    """Run the verb and return the exit code."""
    return command.answer(_run, arguments)


def _run(arguments: list[str]) -> str:
    flags = _parser().parse_args(arguments)
    signer, endpoint = verbs.credentials(flags)
    shown: dict[str, Any] = {
        **identity(signer, profile=flags.profile, region=endpoint.region),
        "source": signer.source,
        "expires": _time(signer),
        "accessKeyId": signer.access_key,
        "sts": endpoint.host,
    }
    if flags.cluster:
        shown["cluster"] = cluster_view()
    if flags.output == "json":
        return json.dumps(shown)
    return "\n".join(
        f"{name + ':':<13} {command.one_line(_text(value))}" for name, value in shown.items()
    )


def _parser() -> verbs.Parser:
    made = verbs.parser(
        "whoami", "Show the AWS identity that a token would carry, asked of STS, and its source."
    )
    made.add_argument(
        "--cluster",
        action="store_true",
        help="show besides whom the cluster of kubectl's current context takes its user for",
    )
    return made


def identity(signer: Credentials, *, profile: str | None, region: str) -> dict[str, str]:
    """Return what STS says of credentials: ``arn``, ``account`` and ``userId``.

    The profile is whose settings say how to reach STS.

    Raises:
        ClientError: STS refused or could not be reached.
    """
    answer = botocore_session(profile).call("sts", "get_caller_identity", signer, region=region)
    return {"arn": answer["Arn"], "account": answer["Account"], "userId": answer["UserId"]}


def cluster_view() -> dict[str, Any]:
    """Return the user of kubectl's current context as the cluster sees it, or why it is unknown."""
    try:
        shown = kubeconfig_file.kubectl("auth", "whoami", "--output=json", "--request-timeout=10s")
    except ClientError as error:
        return {"error": str(error)}
    if shown.returncode:
        lines = shown.stderr.strip().splitlines() or ["no reason given"]
        return {"error": lines[-1]}
    user = json.loads(shown.stdout)["status"]["userInfo"]
    return {"username": user["username"], "groups": user.get("groups", [])}


def _time(signer: Credentials) -> str:
    if signer.expiration is None:
        return "never" if signer.session_token is None else "unknown"
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(signer.expiration))


def _text(value: Any) -> str:
    if not isinstance(value, dict):
        return str(value)
    if "error" in value:
        return f"unknown: {value['error']}"
    return f"{value['username']} (groups: {', '.join(value['groups']) or 'none'})"
