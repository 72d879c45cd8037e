"""The user of kubectl's context, and how kubectl runs its plugin."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import cluster, command, kubeconfig_file
from .errors import ClientError, UsageError

_AWS = "aws"


@dataclass(frozen=True, slots=True)
class Plugin:
    """The exec section of a user's entry.

    Attributes:
        command: the program, as the entry names it.
        arguments: its arguments.
        environment: the variables that the entry sets for it.
        api_version: of the ExecCredential that kubectl asks for; empty if none is named.
    """

    command: str
    arguments: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)
    api_version: str = ""

    @property
    def is_ours(self) -> bool:
        """Whether the program is this one or the reference, which has the same flags."""
        return Path(self.command).name.removesuffix(".exe").removesuffix(".pyz") == command.COMMAND

    def flags(self) -> dict[str, str]:
        """Return the flags of the verb ``token``, by long name; none for other programs.

        Raises:
            ClientError: a flag is unknown or lacks its value.
        """
        if self.is_ours:
            try:
                return command.parse(list(self.arguments))[0]
            except UsageError as error:  # in the kubeconfig, and not in what was typed
                raise ClientError(f"the kubeconfig's user: {error}") from error
        if Path(self.command).name == _AWS:
            return _flags_of_aws(self.arguments)
        return {}

    @property
    def signed_cluster(self) -> str:
        """The cluster id that the plugin signs for, empty if it cannot be told from the entry."""
        environ = {**os.environ, **self.environment}
        flags = self.flags()
        return flags.get("cluster-id") or environ.get(cluster.VARIABLE, "")

    def find(self, directory: Path) -> Path | None:
        """Return the program that kubectl would run, None if there is none.

        Args:
            directory: of the kubeconfig; a relative path with a slash starts there.
        """
        if os.sep in self.command:
            program = Path(directory, self.command)
            return program if os.access(program, os.X_OK) and program.is_file() else None
        path = self.environment.get("PATH", os.environ.get("PATH"))
        found = shutil.which(self.command, path=path)
        return Path(found) if found else None

    def line(self) -> str:
        """Return the command line as a person would type it, without the values of variables."""
        names = "".join(f"{name}=... " for name in self.environment)
        return command.one_line(f"{names}{' '.join((self.command, *self.arguments))}")


@dataclass(frozen=True, slots=True)
class CurrentUser:
    """Who kubectl is for one context.

    Attributes:
        context: its name.
        cluster: the name of its cluster's entry.
        user: its user's entry; empty if it has none.
    """

    context: str
    cluster: str
    user: dict[str, Any]

    @property
    def plugin(self) -> Plugin | None:
        """How kubectl gets the user's credentials, None where it does not run a program."""
        section = self.user.get("exec")
        if not isinstance(section, dict):
            return None
        return Plugin(
            command=str(section.get("command") or ""),
            arguments=tuple(map(str, section.get("args") or ())),
            environment={
                str(variable.get("name")): str(variable.get("value"))
                for variable in section.get("env") or ()
            },
            api_version=str(section.get("apiVersion") or ""),
        )


def current(context: str | None = None) -> CurrentUser:
    """Return the user of a context, or of the current one.

    Raises:
        ClientError: kubectl is missing, or knows no such context.
    """
    chosen = ("--context", context) if context else ()
    shown = kubeconfig_file.kubectl("config", "view", "--minify", "--output=json", *chosen)
    if shown.returncode:
        raise ClientError(
            f"{kubeconfig_file.last_line(shown.stderr)}; run `{command.COMMAND} kubeconfig` or"
            " `kubectl config use-context`"
        )
    content = json.loads(shown.stdout)
    [entry] = content.get("contexts") or [{}]
    [user] = content.get("users") or [{}]
    return CurrentUser(
        context=content.get("current-context", ""),
        cluster=(entry.get("context") or {}).get("cluster", ""),
        user=user.get("user") or {},
    )


def _flags_of_aws(arguments: tuple[str, ...]) -> dict[str, str]:
    """Read ``aws eks get-token``, as `aws eks update-kubeconfig` and eksctl write it."""
    names = {
        "--cluster-id": "cluster-id",
        "--cluster-name": "cluster-id",
        "--profile": "profile",
        "--region": "region",
        "--role": "role",
        "--role-arn": "role",
    }
    flags: dict[str, str] = {}
    rest = iter(arguments)
    for argument in rest:
        name, equals, value = argument.partition("=")
        if name in names:
            flags[names[name]] = value if equals else next(rest, "")
    return flags
