"""The verb ``kubeconfig``: have kubectl log in to a cluster with this plugin."""

from __future__ import annotations

import base64
import difflib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import cluster, command, kubeconfig_file, verbs, yaml_text
from .errors import ClientError
from .imports import botocore_session

if TYPE_CHECKING:
    from collections.abc import Mapping

_INSTALL_HINT = "aws-iam-authenticator is not installed: pip install kube-iam-authenticator"
# Of a user's entry (Kubernetes, "kubeconfig v1"); the value of a plugin's variable may be one too.
_SECRETS = frozenset(
    {
        "access-token",
        "client-key-data",
        "client-secret",
        "id-token",
        "password",
        "refresh-token",
        "token",
        "value",
    }
)
_EMPTY: Mapping[str, Any] = {"kind": "Config", "apiVersion": "v1"}


def main(arguments: list[str]) -> int:
    """Run the verb and return the exit code."""
    return command.answer(_run, arguments)


def _run(arguments: list[str]) -> str:
    flags = _parser().parse_args(arguments)
    cluster.check(flags.cluster_id or "")
    if bool(flags.server) != bool(flags.certificate_authority):
        raise ClientError("--server and --certificate-authority come together; give both or none")
    verbs.role(flags)  # that kubectl will be told of a role that can be one
    access = _described(flags) if not flags.server else _given(flags)
    file = flags.kubeconfig or kubeconfig_file.default_path()
    with kubeconfig_file.locked(file):
        before = kubeconfig_file.read(file)
        after = merged(before, entries(flags, access))
        text = yaml_text.dump(after)
        if flags.dry_run:
            return _diff(before, after, file)
        kubeconfig_file.write(file, text)
    return _report(after["current-context"], file, flags.output)


def _parser() -> verbs.Parser:
    made = verbs.parser(
        "kubeconfig",
        "Write or merge a cluster, a user and a context into a kubeconfig. Server and certificate"
        " authority are asked of EKS, unless given.",
    )
    made.add_argument(
        "-i", "--cluster-id", metavar="ID", help="the cluster, as its webhook knows it"
    )
    made.add_argument(
        "--alias", metavar="NAME", help="name of context and cluster (the cluster's and role's)"
    )
    made.add_argument("--server", metavar="URL", help="the API server")
    made.add_argument("--certificate-authority", metavar="FILE", type=Path, help="its PEM file")
    made.add_argument("--kubeconfig", metavar="FILE", type=Path, help="file to change (KUBECONFIG)")
    made.add_argument(
        "--dry-run", action="store_true", help="show what would change, secrets hidden"
    )
    return made


def _described(flags: Any) -> dict[str, str]:
    """Ask EKS for the cluster's server and certificate authority."""
    caller, endpoint = verbs.credentials(flags, assumed=False)
    answer = botocore_session(flags.profile).call(
        "eks", "describe_cluster", caller, region=endpoint.region, name=flags.cluster_id
    )["cluster"]
    try:
        return {
            "server": answer["endpoint"],
            "certificate-authority-data": answer["certificateAuthority"]["data"],
        }
    except KeyError as error:
        raise ClientError(
            f"the cluster {flags.cluster_id} is {answer.get('status', 'not ready')} and has no"
            " endpoint yet; wait until it is ACTIVE"
        ) from error


def _given(flags: Any) -> dict[str, str]:
    try:
        authority = flags.certificate_authority.read_bytes()
    except OSError as error:
        raise ClientError(
            f"cannot read {flags.certificate_authority}: {error.strerror};"
            " see --certificate-authority"
        ) from error
    return {
        "server": flags.server,
        "certificate-authority-data": base64.b64encode(authority).decode(),
    }


def entries(flags: Any, access: Mapping[str, str]) -> dict[str, tuple[str, dict[str, Any]]]:
    """Return the entry for each list of the kubeconfig: its name and what it holds.

    The user's name tells the role, so that several roles in one cluster live side by side. An
    alias names the cluster's entry too: other regions have clusters of the same id.
    """
    name = flags.alias or flags.cluster_id
    user = name
    if flags.role:
        account, _, role = flags.role.partition("::")[2].partition(":role/")
        user = f"{name}@{account}:{role}"
    return {
        "clusters": (name, {"cluster": dict(access)}),
        "users": (user, {"user": {"exec": _plugin(flags)}}),
        "contexts": (flags.alias or user, {"context": {"cluster": name, "user": user}}),
    }


def _plugin(flags: Any) -> dict[str, Any]:
    """Return the exec section; its flags and variables are those of the reference as well."""
    arguments = ["token", "-i", flags.cluster_id]
    for flag, value in (
        ("--role", flags.role),
        ("--external-id", flags.external_id),
        ("--session-name", flags.session_name),
        ("--region", flags.region),
    ):
        if value:
            arguments += [flag, value]
    if flags.forward_session_name:
        arguments.append("--forward-session-name")
    environment = [{"name": "AWS_PROFILE", "value": flags.profile}] if flags.profile else None
    # In kubectl's order, so that a second run changes nothing.
    return {
        "command": command.COMMAND,
        "args": arguments,
        "env": environment,
        "apiVersion": "client.authentication.k8s.io/v1",
        "installHint": _INSTALL_HINT,
        "provideClusterInfo": False,
        "interactiveMode": "IfAvailable",
    }


def merged(
    content: Mapping[str, Any], new: Mapping[str, tuple[str, dict[str, Any]]]
) -> dict[str, Any]:
    """Return a kubeconfig with the entries added, or put in place of those of the same name.

    Extensions of what is replaced are kept: other programs leave their notes there.

    Raises:
        ClientError: another cluster has the name; accounts and regions know nothing of each
            other's names.
    """
    result = dict(content or _EMPTY)
    for kind, (name, entry) in new.items():
        ((inner, value),) = entry.items()
        old = [each for each in result.get(kind) or [] if each["name"] == name]
        kept = [each for each in result.get(kind) or [] if each["name"] != name]
        before = (old[-1].get(inner) if old else None) or {}
        if before.get("server", value.get("server")) != value.get("server"):
            raise ClientError(
                f"the kubeconfig has another cluster {name!r}, at {before['server']}; give this one"
                f" a name with --alias, or remove that: kubectl config delete-cluster {name}"
            )
        extensions = {"extensions": before["extensions"]} if before.get("extensions") else {}
        result[kind] = [*kept, {"name": name, inner: {**value, **extensions}}]
    result["current-context"] = new["contexts"][0]
    return result


def _diff(before: dict[str, Any], after: dict[str, Any], file: Path) -> str:
    """Return a unified diff, without the secrets of what is replaced."""
    old, new = (yaml_text.dump(_redacted(content)).splitlines() for content in (before, after))
    lines = difflib.unified_diff(old if before else [], new, str(file), str(file), lineterm="")
    return "\n".join(lines) or f"nothing to change in {file}"


def _redacted(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            key: "(hidden)" if key in _SECRETS and child else _redacted(child)
            for key, child in value.items()
        }
    if isinstance(value, list):
        return [_redacted(child) for child in value]
    return value


def _report(context: str, file: Path, output: str) -> str:
    if output == "json":
        return json.dumps({"context": context, "kubeconfig": str(file)})
    return f"kubectl now uses the context {context!r} in {file}"
