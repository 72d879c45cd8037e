"""AdmissionReview (admission.k8s.io/v1): bytes to request, answer to bytes. No I/O.

Source: Kubernetes, "Dynamic Admission Control", "Webhook request and response".
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, TypeAlias

from authenticator.display import printable
from authenticator.editing.editor import Editor
from authenticator.errors import MalformedRequest
from authenticator.posted_json import decode, encode

# An object of 1 MiB (the limit of a ConfigMap) before and after, escaped as JSON, and their
# metadata (256 KiB of annotations).
MAX_BYTES = 4 * 1024 * 1024
# Read, each value costs some 20 times as much memory as the two characters that it may have. Two
# ConfigMaps of 1 MiB have half as many of these characters, most of them in their texts.
_MAX_VALUES = 400_000

_API_VERSION = "admission.k8s.io/v1"
_KIND = "AdmissionReview"
_UID = re.compile(r"[\w.-]{1,128}", re.ASCII)
_OPERATIONS = frozenset({"CREATE", "UPDATE", "DELETE", "CONNECT"})
# What the API server does not shorten: warnings of 256 characters, 4096 in all.
# (apiserver, `admission/plugin/webhook`, `warning.AddWarning`.)
_WARNING_LENGTH = 256
_WARNINGS_LENGTH = 4096
# Enough of them to see what is wrong, and room for the last, which says how many more there are.
_MAX_WARNINGS = 15

Object: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True)
class AdmissionRequest:
    """An edit that the API server asks about.

    Attributes:
        uid: the request's name, to be repeated in the answer.
        operation: CREATE, UPDATE, DELETE or CONNECT.
        group: the API group of the object; "" for ConfigMaps.
        kind: the kind of the object.
        editor: whose edit it is.
        old: the object before; None when it is created.
        new: the object after; None when it is deleted, be it by taking away its last finalizer.
        dry_run: whether nothing will be kept.
    """

    uid: str
    operation: str
    group: str
    kind: str
    editor: Editor
    old: Object | None
    new: Object | None
    dry_run: bool = False

    @property
    def metadata(self) -> Object:
        """Of the object before, or of the object after if there was none.

        The request's own name is empty when a collection is deleted.
        """
        return (self.old or self.new or {}).get("metadata") or {}

    @property
    def name(self) -> str:
        """The object's name."""
        return str(self.metadata.get("name", ""))


@dataclass(frozen=True, slots=True)
class AdmissionAnswer:
    """What the API server is told.

    Attributes:
        allowed: whether the edit may go ahead.
        message: why it may not.
        warnings: what the editor is shown beside.
    """

    allowed: bool
    message: str = ""
    warnings: tuple[str, ...] = ()


def parse(body: bytes) -> AdmissionRequest:
    """Read what the API server posted.

    Raises:
        MalformedRequest: it is no AdmissionReview of the form that an API server sends, or is too
            large.
    """
    if len(body) > MAX_BYTES or sum(map(body.count, (b"{", b"[", b","))) > _MAX_VALUES:
        raise MalformedRequest("the AdmissionReview is too large", 413)
    review = decode(body)
    if not isinstance(review, dict) or review.get("kind") != _KIND:
        raise MalformedRequest("the JSON is no AdmissionReview")
    if review.get("apiVersion") != _API_VERSION:
        raise MalformedRequest(f"the apiVersion is not {_API_VERSION}")
    return _request(_map(review, "request"))


def _request(request: Object) -> AdmissionRequest:
    uid, operation = request.get("uid"), request.get("operation")
    if not isinstance(uid, str) or not _UID.fullmatch(uid):
        raise MalformedRequest("request.uid is not a name")
    if not isinstance(operation, str) or operation not in _OPERATIONS:
        raise MalformedRequest("request.operation is unknown")
    kind = _map(request, "kind")
    old, new = _object(request, "oldObject"), _object(request, "object")
    if (operation == "DELETE" and old is None) or (operation == "UPDATE" and None in (old, new)):
        raise MalformedRequest(f"a request to {operation} lacks an object")
    return AdmissionRequest(
        uid=uid,
        operation=operation,
        group=str(kind.get("group") or ""),
        kind=str(kind.get("kind") or ""),
        editor=Editor.from_user_info(_map(request, "userInfo")),
        old=None if operation == "CREATE" else old,
        new=None if operation == "DELETE" or _goes(new) else new,
        dry_run=request.get("dryRun") is True,
    )


def _goes(new: Object | None) -> bool:
    """Whether the object is deleted already, and this edit takes away what kept it there.

    Until then it counts like any other, for whoever asks about the next deletion.
    """
    metadata = (new or {}).get("metadata") or {}
    return bool(metadata.get("deletionTimestamp")) and not metadata.get("finalizers")


def _object(request: Object, key: str) -> Object | None:
    """An object of which every part that is looked at is a map, or missing."""
    if request.get(key) is None:
        return None
    found = _map(request, key)
    for part in ("metadata", "data", "binaryData", "spec"):
        _map(found, part, optional=True)
    _map(found.get("metadata") or {}, "annotations", optional=True)
    return found


def _map(parent: Object, key: str, *, optional: bool = False) -> Object:
    found = parent.get(key)
    if found is None and optional:
        return {}
    if not isinstance(found, dict):
        raise MalformedRequest(f"{key} is not a map")
    return found


def render(request: AdmissionRequest, answer: AdmissionAnswer) -> bytes:
    """Give the AdmissionReview that answers `request`."""
    response: Object = {"uid": request.uid, "allowed": answer.allowed}
    if not answer.allowed:
        response["status"] = {
            "status": "Failure",
            # Of an `Invalid` one without causes, kubectl would not show the message.
            "code": HTTPStatus.FORBIDDEN,
            "reason": "Forbidden",
            "message": answer.message,
        }
    if warnings := bounded(answer.warnings):
        response["warnings"] = warnings
    review = {"apiVersion": _API_VERSION, "kind": _KIND, "response": response}
    return encode(review)


def bounded(warnings: Iterable[str]) -> list[str]:
    """As many of `warnings` as the API server passes on whole, each once."""
    given = tuple(dict.fromkeys(warnings))
    kept: list[str] = []
    room = _WARNINGS_LENGTH - _WARNING_LENGTH
    for text in given[:_MAX_WARNINGS]:
        shown = printable(text, _WARNING_LENGTH)
        room -= len(shown)
        if room < 0:
            break
        kept.append(shown)
    if more := len(given) - len(kept):
        kept.append(f"and {more} more; `aws-iam-authenticator lint` shows all of them")
    return kept
