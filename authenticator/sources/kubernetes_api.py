"""`Cluster` on the `kubernetes` client, of which connection, credentials and TLS are used.

Not its models (20 MiB and 0.7 s to import), nor its `watch.Watch`: that reconnects without
back-off, goes on from a version that is gone, and ends silently where nothing has been seen yet.
"""

from __future__ import annotations

import json
import logging
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

import urllib3
import yaml
from kubernetes.client.api_client import ApiClient
from kubernetes.client.configuration import Configuration
from kubernetes.client.exceptions import ApiException
from kubernetes.config import ConfigException, load_incluster_config

from authenticator.aws.proxy import Proxies
from authenticator.errors import ConfigError
from authenticator.sources.cluster import ClusterError, Object
from authenticator.sources.kubeconfig import load

_LOG = logging.getLogger(__name__)
_CONNECT_SECONDS = 5
_READ_SECONDS = 15
# The API server sends bookmarks about once a minute: silence for longer is a dead connection.
_SILENCE_SECONDS = 90
# RFC 9110, section 5.6.4: a quoted string. Kubernetes uses the code 299 only.
_WARNING = re.compile(r'299 [^ "]+ "((?:[^"\\]|\\.)*)"')
_ESCAPED = re.compile(r"\\(.)")
_MAX_LINE = 8 * 1024 * 1024
# Source: Kubernetes, "Accessing the Kubernetes API from a Pod".
_SERVICE_ACCOUNT_CA = Path("/var/run/secrets/kubernetes.io/serviceaccount/ca.crt")
# The package raises these for files of an unexpected form.
_CONFIG_FAULTS = (
    *(ConfigException, OSError, ValueError, KeyError, TypeError, AttributeError),
    yaml.YAMLError,
)
# A token that has expired is renewed in the course of a request, and that can fail.
_WIRE_FAULTS = (urllib3.exceptions.HTTPError, ApiException, OSError, ConfigException)


def configuration(
    kubeconfig: Path | Sequence[Path] | None, master: str, context: str = ""
) -> Configuration:
    """How to reach the API server.

    Args:
        kubeconfig: the kubeconfig file, or several to be merged; None for the service account of
            the pod.
        master: the API server's URL, in place of the kubeconfig's; "" to keep that.
        context: the kubeconfig's context; "" for its current one.

    Raises:
        ClusterError: the files cannot be used (yet).
    """
    # Keep the package from reading the environment's proxies, which it reads in another way.
    made = Configuration(proxy="", no_proxy="")
    paths = [kubeconfig] if isinstance(kubeconfig, Path) else kubeconfig
    try:
        if paths is None:
            load_incluster_config(made)  # type: ignore[no-untyped-call]  # the package is partly typed
        else:
            load(paths, context, made)
    except _CONFIG_FAULTS as error:
        place = "the pod's service account" if paths is None else os.pathsep.join(map(str, paths))
        raise ClusterError(0, f"{place} cannot be used: {error}") from error
    if master:
        _point_at(made, master)
    if not made.proxy:  # a kubeconfig's `proxy-url` counts whatever the environment says
        made.proxy = _environments_proxy(str(made.host))
    # Retrying is the business of the caller, who counts and backs off.
    made.retries = False
    return made


def _environments_proxy(url: str) -> str | None:
    parts = urlsplit(url)
    if parts.scheme != "https" or not parts.hostname:
        return None
    try:
        proxy = Proxies.from_environment().for_host(parts.hostname, parts.port or 443)
    except (ConfigError, ValueError) as error:
        raise ClusterError(0, str(error)) from error
    if proxy is None or not proxy.is_socks:
        return proxy.url if proxy else None
    if find_spec("socks") is None:
        raise ClusterError(
            0,
            "the SOCKS proxy in HTTPS_PROXY needs a package: pip install PySocks; or list"
            f" {parts.hostname} in NO_PROXY if it can be reached directly",
        )
    # With `socks5` the package would resolve the name here.
    return replace(proxy, scheme="socks5h").url


def _point_at(made: Configuration, master: str) -> None:
    """Use `master`, and go on doing so: reading a token again sets the pod's host again."""
    refresh = cast("Callable[[Configuration], None] | None", made.refresh_api_key_hook)

    def refresh_and_point(refreshed: Configuration) -> None:
        if refresh is not None:
            refresh(refreshed)
        refreshed.host = master

    made.host = master
    made.refresh_api_key_hook = refresh_and_point  # type: ignore[assignment]  # inferred from None


class KubernetesApi:
    """One API server; see `authenticator.sources.cluster.Cluster`."""

    def __init__(
        self,
        configure: Callable[[], Configuration],
        warned: Callable[[str], None] | None = None,
        version: Callable[[], object] = lambda: None,
    ) -> None:
        """Prepare to connect.

        Args:
            configure: called at the first request, and again after a 401, after a TLS failure or
                when it failed, so that credentials and CAs may appear later and change.
            warned: is told of each warning in an answer of the API server (Kubernetes, "Warning
                headers"); without it, they are ignored.
            version: what identifies the files that `configure` reads (`version_of`); when it
                changes, `configure` is called again.
        """
        self._warned = warned
        self._configure = configure
        self._version = version
        self._client: ApiClient | None = None
        self._configured: object = None

    def request(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: Object | None = None,
    ) -> Object:
        """See `Cluster.request`."""
        try:
            response = self._send(method, path, query or {}, body, _READ_SECONDS)
            return _object(response.data)
        except _WIRE_FAULTS as error:
            raise _unreachable(error) from error

    @contextmanager
    def watch(self, path: str, query: Mapping[str, str]) -> Iterator[_Stream]:
        """See `Cluster.watch`."""
        try:
            response = self._send("GET", path, query, None, _SILENCE_SECONDS)
        except _WIRE_FAULTS as error:
            raise _unreachable(error) from error
        try:
            yield _Stream(response)
        finally:
            response.close()

    def _send(
        self, method: str, path: str, query: Mapping[str, str], body: Object | None, read: float
    ) -> urllib3.BaseHTTPResponse:
        client = self._connected()
        headers = {"Accept": "application/json"}
        headers["Content-Type"] = (
            "application/merge-patch+json" if method == "PATCH" else "application/json"
        )
        method, url, headers, content, _ = client.param_serialize(
            method,
            path,
            query_params=list(query.items()),
            header_params=headers,
            body=body,
            auth_settings=["BearerToken"],
        )
        try:
            sent = client.call_api(
                method, url, headers, content, _request_timeout=(_CONNECT_SECONDS, read)
            )
        except ApiException as error:
            # The package's form of urllib3's SSLError. The cluster's CA may have been replaced, in
            # a file that the kubeconfig names.
            if not error.status:
                self._client = None
            raise
        response: urllib3.BaseHTTPResponse = sent.response
        if not 200 <= response.status < 300:  # noqa: PLR2004 (HTTP's range of success)
            if response.status == 401:  # noqa: PLR2004 (HTTP: the credentials are no longer valid)
                self._client = None
            raise ClusterError(response.status, _message(response.data))
        if self._warned:
            for text in warnings_in(response.headers.getlist("Warning")):
                self._warned(text)
        return response

    def _connected(self) -> ApiClient:
        client, version = self._client, self._version()
        if client is not None and version == self._configured:
            return client
        try:
            made = ApiClient(self._configure())
        except ClusterError as error:
            if client is None:
                raise
            # Half written, or a bad edit: the file is read again when it changes once more.
            _LOG.warning("keeping the connection to the API server in use: %s", error)
            made = client
        # Our name in the API server's audit log; a request's own header would be replaced.
        made.user_agent = "aws-iam-authenticator"
        self._client, self._configured = made, version
        return made


def version_of(paths: Sequence[Path] | None) -> tuple[tuple[int, ...], ...]:
    """Return what changes whenever one of the files of `configuration` is replaced or written.

    Args:
        paths: the kubeconfig files; None for the service account of the pod, whose CA counts. Its
            token is read again by the `kubernetes` package.
    """
    return tuple(map(_version, (_SERVICE_ACCOUNT_CA,) if paths is None else paths))


def _version(path: Path) -> tuple[int, ...]:
    try:
        found = path.stat()
    except OSError:
        return ()
    return found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size


def warnings_in(values: Iterable[str]) -> Iterator[str]:
    """Yield the texts of Warning headers: `299 - "text"`, with quotes and backslashes escaped."""
    for value in values:
        for found in _WARNING.finditer(value):
            yield _ESCAPED.sub(r"\1", found[1])


class _Stream:
    """See `Watch`."""

    def __init__(self, response: urllib3.BaseHTTPResponse) -> None:
        self._response = response
        self._interrupted = False

    def __iter__(self) -> Iterator[Object]:
        waiting = b""
        try:
            for chunk in self._response.stream(amt=None):
                *lines, waiting = (waiting + chunk).split(b"\n")
                yield from (_object(line) for line in lines if line.strip())
                if len(waiting) > _MAX_LINE:
                    raise ClusterError(0, "an event of the watch is too large")
        except _WIRE_FAULTS as error:
            if not self._interrupted:
                raise _unreachable(error) from error

    def interrupt(self) -> None:
        self._interrupted = True
        self._response.shutdown()


def _object(data: bytes) -> Object:
    try:
        value: Any = json.loads(data)
    except ValueError as error:
        raise ClusterError(0, "the API server's answer is not JSON") from error
    if not isinstance(value, dict):
        raise ClusterError(0, "the API server's answer is not an object")
    return value


def _message(data: bytes) -> str:
    """Return the message of a Status object."""
    try:
        return str(_object(data).get("message", ""))[:500]
    except ClusterError:
        return "no Status object"


def _unreachable(error: Exception) -> ClusterError:
    if isinstance(error, ConfigException):
        return ClusterError(0, f"the credentials cannot be renewed: {error}")
    return ClusterError(0, f"the API server cannot be reached: {error}"[:500])
