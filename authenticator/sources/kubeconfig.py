"""Kubeconfig files as kubectl reads them: several merged, and no request without credentials.

The `kubernetes` package reads one file. Of several it takes the last current context, it goes on as
system:anonymous where an exec plugin fails or the context's user does not exist, and it writes to
the root logger.

Source: "Organizing Cluster Access Using kubeconfig Files", kubernetes.io.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from kubernetes.client.configuration import Configuration
from kubernetes.config import ConfigException
from kubernetes.config.dateutil import parse_rfc3339
from kubernetes.config.exec_provider import ExecProvider
from kubernetes.config.kube_config import FileOrData, KubeConfigLoader, KubeConfigMerger

_MESSAGE_LENGTH = 1000


def load(paths: Sequence[Path], context: str, into: Configuration) -> None:
    """Set how to reach the API server of a context.

    Args:
        paths: the files. The first that has a name or the current context decides; those that do
            not exist or are empty are skipped.
        context: the context; "" for the current one.
        into: what to set.

    Raises:
        ConfigException: no file can be used, the context or its user is missing, or an exec plugin
            failed; with the plugin's own message.
        OSError: a file cannot be read, or a plugin cannot be run.
        yaml.YAMLError: a file is not YAML.
    """
    merged = KubeConfigMerger("")  # type: ignore[no-untyped-call]  # the package is partly typed
    current = ""
    for path in paths:
        content = _content(path)
        if content:
            merged.load_config(str(path))  # type: ignore[no-untyped-call]  # as above
            current = current or content.get("current-context") or ""
    if merged.config is None:
        raise ConfigException("no such file, or an empty one; name another with --kubeconfig")
    if not (context or current):
        raise ConfigException("no current context is set: run kubectl config use-context NAME")
    loader: Any = _Loader
    loader(
        config_dict=merged.config, active_context=context or current, config_base_path=None
    ).load_and_set(into)


def _content(path: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    if content and not isinstance(content, dict):
        raise ConfigException(f"{path} is not a kubeconfig file")
    return content or {}


class _Loader(KubeConfigLoader):
    # As the package sets them.
    _user: Any
    _cluster: Any
    _current_context: Any
    _config: Any

    def set_active_context(self, context_name: str | None = None) -> None:
        known = [str(found["name"]) for found in self._config["contexts"].value]
        if context_name not in known:
            names = ", ".join(sorted(known)) or "none"
            raise ConfigException(f"the context {context_name!r} does not exist (known: {names})")
        super().set_active_context(context_name)  # type: ignore[no-untyped-call]  # as above
        user = self._current_context["context"].safe_get("user")
        if user and self._user is None:
            raise ConfigException(f"the user {user!r} of context {context_name!r} is missing")

    def _load_from_exec_plugin(self) -> bool:
        """Run the plugin of the user, if it has one; unlike the package's, raise what fails."""
        if "exec" not in self._user:
            return False
        base = self._get_base_path(self._cluster.path)  # type: ignore[no-untyped-call]  # as above
        status = _run_plugin(self._user["exec"], base, self._cluster)
        if "token" in status:
            self.token = f"Bearer {status['token']}"
        elif "clientCertificateData" in status and "clientKeyData" in status:
            self.cert_file = _file(status, "clientCertificateData", base)
            self.key_file = _file(status, "clientKeyData", base)
        else:
            raise ConfigException("the exec plugin printed neither a token nor a certificate")
        if "expirationTimestamp" in status:
            self.expiry = parse_rfc3339(status["expirationTimestamp"])  # type: ignore[no-untyped-call]  # as above
        return True


def _file(status: dict[str, Any], key: str, base: str) -> str:
    made = FileOrData(  # type: ignore[no-untyped-call]  # as above
        status, None, data_key_name=key, file_base_path=base, base64_file_content=False
    )
    name: str = made.as_file()  # type: ignore[no-untyped-call]  # as above
    return name


def _run_plugin(plugin: Any, base: str, cluster: Any) -> dict[str, Any]:
    """Run an exec plugin and return the status of its ExecCredential.

    Raises:
        ConfigException: it cannot be run, failed, or printed something else.
    """
    name = os.path.basename(str(plugin["command"]))  # noqa: PTH119 (kept as text)
    hint = str(plugin.safe_get("installHint") or "").strip()
    try:
        status = ExecProvider(plugin, base, cluster).run()  # type: ignore[no-untyped-call]  # as above
    except FileNotFoundError as error:
        advice = f"; {hint}" if hint else "; install it, or correct `command` in the kubeconfig"
        raise ConfigException(f"exec plugin {name}: no such program{advice}") from error
    except OSError as error:
        raise ConfigException(f"exec plugin {name} cannot be run: {error.strerror}") from error
    except AttributeError as error:
        # On a terminal its standard error is the terminal, and the package strips None.
        raise ConfigException(f"exec plugin {name} failed; see its message above") from error
    except (ConfigException, TypeError) as error:
        reason = str(error).removeprefix("exec: ")[:_MESSAGE_LENGTH]
        raise ConfigException(f"exec plugin {name} failed: {reason}") from error
    if not isinstance(status, dict):
        raise ConfigException(f"exec plugin {name} printed no status")
    return status
