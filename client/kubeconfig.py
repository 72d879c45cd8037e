"""The verb ``kubeconfig``: have kubectl log in to a cluster with this plugin."""

from __future__ import annotations

import base64
import contextlib
import difflib
import hashlib
import json
import shlex
import urllib.parse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import (
    cluster,
    command,
    current_user,
    exec_credential,
    kubeconfig_file,
    token,
    verbs,
    yaml_text,
)
from . import flags as flag_table
from .errors import ClientError, UsageError
from .imports import botocore_session
from .profiles import expand_home

if TYPE_CHECKING:
    from collections.abc import Mapping

_INSTALL_HINT = "aws-iam-authenticator is not on PATH: install kube-iam-authenticator"
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
_AUTHORITY = "certificate-authority-data"
_EMPTY: Mapping[str, Any] = {"kind": "Config", "apiVersion": "v1"}
# What a new entry replaces of an old one of its name; a proxy, a namespace and the like stay.
_REPLACED = {
    "clusters": {
        "certificate-authority",
        _AUTHORITY,
        "insecure-skip-tls-verify",
        "server",
    },
    "contexts": {"cluster", "user"},
}
# Of a user, every other key may be a credential.
_KEPT_OF_USER = {"as", "as-groups", "as-uid", "as-user-extra", "extensions"}
_PROFILE_VARIABLE = "AWS_PROFILE"
# An EKS cluster serves in these; in any other it is being made, is being removed, or has failed.
_SERVING = {"ACTIVE", "UPDATING"}
_ARN_PARTS = 6
_ATTEMPTS = 5

_Entries = dict[str, tuple[str, dict[str, Any]]]
_Contents = dict[Path, dict[str, Any]]


def main(arguments: list[str]) -> int:
    """Run the verb and return the exit code."""
    return flag_table.run("kubeconfig", arguments, _run)


def _run(flags: Any) -> str:
    flags.kubeconfig = _path(flags.kubeconfig)
    flags.certificate_authority = _path(flags.certificate_authority)
    _read_arn(flags)
    if flags.refresh:
        return _refresh(flags)
    cluster.check(flags.cluster_id or "")
    command.wants_jwt({"jwt": "true" if flags.jwt else "", "audience": flags.audience or ""})
    if bool(flags.server) != bool(flags.certificate_authority):
        raise UsageError("--server and --certificate-authority come together; give both or none")
    verbs.role(flags)  # before kubectl is told of a role that cannot be one
    access = _described(flags) if not flags.server else _given(flags)
    return _change(flags, entries(flags, access), use=not flags.no_use_context)


def _path(text: str | None) -> Path | None:
    if not text:
        return None
    if not (expanded := expand_home(text)):
        raise ClientError(f"{text}: this user has no home directory; set HOME")
    return Path(expanded)


def _read_arn(flags: Any) -> None:
    """Take name and Region from the ARN of an EKS cluster."""
    if not (flags.cluster_id or "").startswith("arn:"):
        return
    parts = flags.cluster_id.split(":", _ARN_PARTS - 1)
    kind, _, name = parts[-1].partition("/")
    if len(parts) != _ARN_PARTS or parts[2] != "eks" or kind != "cluster" or not name:
        raise ClientError(
            f"{flags.cluster_id!r} is not the ARN of an EKS cluster; give -i its name, or an ARN"
            " such as arn:aws:eks:eu-west-1:111122223333:cluster/NAME"
        )
    flags.cluster_id = name
    flags.region = flags.region or parts[3]


def _described(flags: Any) -> dict[str, str]:
    """Ask EKS for the cluster's server and certificate authority.

    Sets the flags to what was asked: a later shell may have another Region, and a local cluster on
    an Outpost is known to its webhook by its id.
    """
    caller, endpoint = verbs.credentials(flags, assumed=False)
    answer = botocore_session(flags.profile).call(
        "eks", "describe_cluster", caller, region=endpoint.region, name=flags.cluster_id
    )["cluster"]
    status = answer.get("status", "not ready")
    if status not in _SERVING:
        raise ClientError(
            f"the cluster {flags.cluster_id} is {status}; wait until it is ACTIVE, or correct -i"
        )
    flags.region = endpoint.region
    if answer.get("outpostConfig"):
        flags.cluster_id = answer["id"]
    return {"server": answer["endpoint"], _AUTHORITY: answer["certificateAuthority"]["data"]}


def _given(flags: Any) -> dict[str, str]:
    try:
        parts = urllib.parse.urlsplit(flags.server)
        valid = parts.scheme in {"https", "http"} and bool(parts.hostname)
    except ValueError:
        valid = False
    if not valid:
        raise ClientError(
            f"--server {flags.server} is not a URL; give one such as https://api.example:6443"
        )
    try:
        authority = flags.certificate_authority.read_bytes()
    except OSError as error:
        raise ClientError(
            f"cannot read {flags.certificate_authority}: {error.strerror};"
            " see --certificate-authority"
        ) from error
    if not flags.region:
        # Pin the Region that this shell or profile chooses; the next shell may choose another.
        with contextlib.suppress(ClientError):  # the profile may be on another machine only
            flags.region = token.named_region(token.Surroundings(flags.profile).settings) or None
    return {"server": flags.server, _AUTHORITY: base64.b64encode(authority).decode()}


def _refresh(flags: Any) -> str:
    """Update the current context's cluster from EKS."""
    user = current_user.current()
    signed = user.plugin.flags() if user.plugin else {}
    flags.cluster_id = flags.cluster_id or signed.get("cluster-id")
    flags.region = flags.region or signed.get("region")
    flags.profile = flags.profile or signed.get("profile")
    cluster.check(flags.cluster_id or "")
    return _change(flags, {"clusters": (user.cluster, {"cluster": _described(flags)})}, use=False)


def entries(flags: Any, access: Mapping[str, str]) -> _Entries:
    """Return the entry for each list of the kubeconfig: its name and what it holds.

    The user's name tells role and profile, so that several of one cluster live side by side. An
    alias names the cluster's entry too: other regions have clusters of the same id.
    """
    name = flags.alias or flags.cluster_id
    user = name
    if flags.role:
        account, _, role = flags.role.partition("::")[2].partition(":role/")
        user += f"@{account}:{role}"
    if flags.profile:
        user += f"@{flags.profile}"
    return {
        "clusters": (name, {"cluster": dict(access)}),
        "users": (user, {"user": {"exec": _plugin(flags)}}),
        "contexts": (flags.alias or user, {"context": {"cluster": name, "user": user}}),
    }


def _plugin(flags: Any) -> dict[str, Any]:
    """Return the exec section; all flags but those of profile and JWT are the reference's."""
    arguments = ["token", "-i", flags.cluster_id]
    for flag, value in (
        ("--role", flags.role),
        ("--external-id", flags.external_id),
        ("--session-name", flags.session_name),
        ("--region", flags.region),
        # In the arguments, since AWS_PROFILE would yield to keys in the user's shell.
        ("--profile", flags.profile),
    ):
        if value:
            arguments += [flag, value]
    if flags.forward_session_name:
        arguments.append("--forward-session-name")
    if flags.jwt:
        arguments.append("--jwt")
    if flags.audience:
        arguments += ["--audience", flags.audience]
    # In kubectl's order, so that a second run changes nothing.
    return {
        "command": command.COMMAND,
        "args": arguments,
        "env": None,
        # Java clients compare this with an answer for which they name no version.
        "apiVersion": exec_credential.DEFAULT_VERSION,
        "installHint": _INSTALL_HINT,
        "provideClusterInfo": False,
        "interactiveMode": "IfAvailable",
    }


def _change(flags: Any, new: _Entries, *, use: bool) -> str:
    """Put entries into the kubeconfig files, and say so."""
    files = [flags.kubeconfig] if flags.kubeconfig else kubeconfig_file.paths()
    before = {file: kubeconfig_file.read(file) for file in files}
    after = merged(before, new, use=use)
    if flags.dry_run:
        return "\n".join(_diff(before[file], after[file], file) for file in after)
    for _ in range(_ATTEMPTS):
        with contextlib.ExitStack() as locks:
            for file in sorted(after):
                locks.enter_context(kubeconfig_file.locked(file))
            locked = set(after)
            before = {file: kubeconfig_file.read(file) for file in files}
            after = merged(before, new, use=use)
            if locked.issuperset(after):
                for file, content in after.items():
                    kubeconfig_file.write(file, yaml_text.dump(content))
                return _report(new, before, after, use=use, output=flags.output)
    raise ClientError("another program keeps changing the kubeconfig files; try again")


def merged(contents: _Contents, new: _Entries, *, use: bool) -> _Contents:
    """Return the files that change, with the entries added, or put in place of those of the name.

    As kubectl does, an entry is changed in the file that holds it, and added to the default one.

    Args:
        contents: every file that kubectl merges, the first one first.
        new: by list, the name of an entry and what it holds.
        use: whether the new context becomes the current one.

    Raises:
        ClientError: another cluster has the name; accounts and regions know nothing of each
            other's names.
    """
    default = kubeconfig_file.default_of(list(contents))
    changed: _Contents = {}
    for kind, (name, entry) in new.items():
        file = next((it for it in contents if _find(contents[it], kind, name)), default)
        content = changed.get(file) or dict(contents[file] or _EMPTY)
        changed[file] = {**content, kind: _replaced(content, kind, name, entry)}
    if use:
        file = next((it for it in contents if contents[it].get("current-context")), default)
        content = changed.get(file) or dict(contents[file] or _EMPTY)
        changed[file] = {**content, "current-context": new["contexts"][0]}
    return changed


def _find(content: Mapping[str, Any], kind: str, name: str) -> dict[str, Any] | None:
    found = [entry for entry in content.get(kind) or () if entry["name"] == name]
    return found[0] if found else None


def _replaced(
    content: Mapping[str, Any], kind: str, name: str, entry: dict[str, Any]
) -> list[dict[str, Any]]:
    """Return a list of the kubeconfig with one entry in the place of that of its name."""
    ((inner, value),) = entry.items()
    old = _find(content, kind, name)
    before = (old or {}).get(inner) or {}
    if before.get("server", value.get("server")) != value.get("server"):
        raise ClientError(
            f"the kubeconfig has another cluster {name!r}, at {before['server']}; give this one"
            f" a name with --alias, or remove that: kubectl config delete-cluster {name}"
        )
    if kind == "users":
        kept = {key: before[key] for key in before if key in _KEPT_OF_USER}
        variables = [
            variable
            for variable in (before.get("exec") or {}).get("env") or ()
            if variable.get("name") != _PROFILE_VARIABLE
        ]
        value = {"exec": {**value["exec"], "env": variables or None}}
    else:
        kept = {key: before[key] for key in before if key not in _REPLACED[kind]}
    made = {"name": name, inner: {**value, **kept}}
    listed = content.get(kind) or []
    if old is None:
        return [*listed, made]
    return [made if each is old else each for each in listed]


def _diff(before: dict[str, Any], after: dict[str, Any], file: Path) -> str:
    """Return a unified diff, without the secrets of what is replaced."""
    old, new = (yaml_text.dump(_redacted(content)).splitlines() for content in (before, after))
    lines = difflib.unified_diff(old if before else [], new, str(file), str(file), lineterm="")
    return "\n".join(lines) or f"nothing to change in {file}"


def _redacted(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _hidden(key, child) for key, child in value.items()}
    if isinstance(value, list):
        return [_redacted(child) for child in value]
    return value


def _hidden(key: str, child: Any) -> Any:
    if key in _SECRETS and child:
        return "REDACTED"
    if key == _AUTHORITY and child:
        # As `kubectl config view` does: 4 KB of base64 would bury the change. A digest tells
        # whether it is another one.
        return f"DATA+OMITTED (sha256 {hashlib.sha256(str(child).encode()).hexdigest()[:12]})"
    return _redacted(child)


def _report(new: _Entries, before: _Contents, after: _Contents, *, use: bool, output: str) -> str:
    kind = "contexts" if "contexts" in new else "clusters"
    name = new[kind][0]
    file = next(it for it in after if _find(after[it], kind, name))
    if output == "json":
        return json.dumps({kind.removesuffix("s"): name, "kubeconfig": str(file)})
    what = f"{kind.removesuffix('s')} {name!r} in {file}"
    if all(before[it] == after[it] for it in after):
        return f"Unchanged: {what} is up to date"
    old = any(_find(before[it], kind, name) for it in before)
    verb = "Updated" if old else "Added"
    context = "" if use or kind == "clusters" else f" --context {shlex.quote(name)}"
    return f"{verb} {what}; try: kubectl{context} get namespaces"
