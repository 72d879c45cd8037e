"""Rules on the admission webhook: what keeps API servers from asking it, and lets anyone ask."""

from __future__ import annotations

from collections.abc import Iterator

from authenticator.lint.documents import Frame
from authenticator.lint.findings import Finding, Place
from authenticator.lint.rules import RULES
from authenticator.mapping.nodes import Fields, Items, Node, Text, value_of

KIND = "ValidatingWebhookConfiguration"
_OURS = ".iamauthenticator.k8s.aws"
_NO = frozenset({"", "false", "no", "off", "0", "n", "f"})


def anonymous_admission(fields: Fields, name: str, frame: Frame) -> Iterator[Finding]:
    """Look at `server.anonymousAdmission` of a config file.

    Args:
        fields: the file as a map.
        name: the file.
        frame: where its text stands.
    """
    node = value_of(value_of(fields, "server"), "anonymousAdmission")
    if node is None or _text(node).lower() in _NO:
        return
    message = (
        "AdmissionReviews of unauthenticated peers are answered; give each API server the admission"
        " kubeconfig, then remove this (docs/admission.md)"
    )
    place = Place(name, "server.anonymousAdmission", -1, *frame.place(node.line, node.column))
    yield Finding(RULES["anonymous-admission"], message, place)


def webhooks(root: Node, name: str) -> Iterator[Finding]:
    """Look at a ValidatingWebhookConfiguration; nothing is found in other objects.

    Args:
        root: the object.
        name: the file or the object.
    """
    if _text(_get(root, "kind")) != KIND:
        return
    listed = _get(root, "webhooks")
    for webhook in listed.values if isinstance(listed, Items) else ():
        title = _text(_get(webhook, "name"))
        client = _get(webhook, "clientConfig")
        if not title.endswith(_OURS) or _text(_get(client, "caBundle")):
            continue
        message = (
            "it has no caBundle: the API server does not trust the server, and stores edits"
            " unchecked (failurePolicy Ignore); put the server's cert.pem there, in base64"
        )
        place = Place(name, title, line=webhook.line, column=webhook.column)
        yield Finding(RULES["untrusted-webhook"], message, place)


def _get(node: Node | None, key: str) -> Node | None:
    return node.values.get(key) if isinstance(node, Fields) else None


def _text(node: Node | None) -> str:
    return (node.value or "").strip() if isinstance(node, Text) else ""
