"""The ExecCredential that kubectl asks for and gets.

Source: Kubernetes, "Authenticating: client-go credential plugins", and the package
``k8s.io/client-go/pkg/apis/clientauthentication``.
"""

import time

from .errors import ClientError

_GROUP = "client.authentication.k8s.io"
VERSIONS = (f"{_GROUP}/v1", f"{_GROUP}/v1beta1", f"{_GROUP}/v1alpha1")
DEFAULT_VERSION = f"{_GROUP}/v1beta1"

# What kubectl sends, letter for letter, unless the kubeconfig sets provideClusterInfo. Knowing
# these by heart saves the import of json, which would be a third of the plugin's run time.
_KNOWN_REQUESTS = {
    f'{{"kind":"ExecCredential","apiVersion":"{version}","spec":{{"interactive":{flag}}}}}': version
    for version in VERSIONS
    for flag in ("true", "false")
}


def requested_version(exec_info: str | None) -> str:
    """Return the apiVersion to answer with: kubectl refuses any other than the one it sent.

    As in the reference, only ``apiVersion`` is read: .NET sends the kind ``ExecCredentials`` and
    older Rust clients send null. Java clients send no document at all, and compare the answer with
    the apiVersion of the kubeconfig, so a missing version means v1beta1.

    Args:
        exec_info: the environment variable ``KUBERNETES_EXEC_INFO``.

    Raises:
        ClientError: it asks for a version that does not exist.
    """
    if not exec_info:
        return DEFAULT_VERSION
    known = _KNOWN_REQUESTS.get(exec_info.strip())
    if known:
        return known
    version = _parse(exec_info).get("apiVersion") or DEFAULT_VERSION
    if version not in VERSIONS:
        raise ClientError(
            f"KUBERNETES_EXEC_INFO asks for apiVersion {version!r}; set the apiVersion of the"
            f" kubeconfig's exec section to one of {', '.join(VERSIONS)}"
        )
    return str(version)


def cluster_id(exec_info: str | None) -> str:
    """Return ``clusterID`` of the cluster's extension, empty if there is none.

    With ``provideClusterInfo`` kubectl passes on what the kubeconfig's cluster has in its extension
    ``client.authentication.k8s.io/exec``, so that one user entry serves many clusters.

    Raises:
        ClientError: the id is not a string.
    """
    if not exec_info or exec_info.strip() in _KNOWN_REQUESTS:
        return ""
    found: object = _parse(exec_info)
    for key in ("spec", "cluster", "config", "clusterID"):
        found = found.get(key) if isinstance(found, dict) else None
    if found is not None and not isinstance(found, str):
        raise ClientError(
            f"clusterID in the cluster's extension {_GROUP}/exec is not a string; correct the"
            " kubeconfig"
        )
    return found or ""


def is_interactive(exec_info: str | None) -> bool:
    """Return whether the calling program lets the plugin ask a person; without a document, yes."""
    found: object = _parse(exec_info) if exec_info else {}
    for key in ("spec", "interactive"):
        found = found.get(key) if isinstance(found, dict) else None
    return found is not False


def _parse(exec_info: str) -> "dict[str, object]":
    """Return the document; an empty one if it is not a JSON object, as in the reference."""
    import json  # noqa: PLC0415 - see _KNOWN_REQUESTS

    try:
        document = json.loads(exec_info)
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def document(token: str, *, expiration: float, version: str) -> str:
    """Return the ExecCredential as one line of JSON.

    Args:
        token: a bearer token: letters, digits, ``-``, ``_`` and ``.``, so nothing to escape.
        expiration: seconds since the epoch; kubectl asks for a new token after it.
        version: one of `VERSIONS`.
    """
    return (
        f'{{"kind":"ExecCredential","apiVersion":"{version}","spec":{{}},'
        f'"status":{{"expirationTimestamp":"{rfc3339(expiration)}","token":"{token}"}}}}'
    )


def rfc3339(seconds: float) -> str:
    """Return an epoch time as RFC 3339 writes it, in UTC and whole seconds."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
