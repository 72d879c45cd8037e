"""The audit log: one line for each login decided, and for each edit refused or forced.

docs/audit.schema.json describes the lines, and docs/audit.md what they promise.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, ClassVar, TypeAlias

from authenticator.timestamps import rfc3339

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# Of the lines' form. Fields are added within a version, never removed or given another meaning.
VERSION = 1

# What may stand unquoted in the text format; anything else is quoted and escaped, so that no value
# can end a line or begin another field.
_PLAIN = re.compile(r"[\w.:/@+,*{}-]+", re.ASCII)


@dataclass(slots=True, kw_only=True)
class AuditRecord:
    """What is written about one decision. Never a token or a signature; access key ids are public.

    It is filled in while the review is decided, and nobody's to change once it is in the log.

    Attributes:
        time: seconds since the epoch.
        decision: `allow`, `deny`, `malformed` if it is no review that we read, or `fault` when it
            could not be decided.
        result: the label `result` of the metrics.
        remote: the address of the API server that asked.
        api_version: the TokenReview's.
        latency_ms: how long the answer took.
        denial_id: a short random name of a refusal or fault, by which it can be found.
        reason: why it was not allowed.
        check: the name of the token check that failed.
        arn, canonical_arn, account, session, access_key_id: who the caller is proven to be.
        token_id: the `jti` of a JWT.
        unproven_access_key_id, unproven_host, unproven_region: who signed, as the token says and
            nothing has proven.
        username, groups: whom they became.
        mapping: where the mapping that applied stands.
        mapping_reason: why that mapping was made, as its entry says.
        source: how it was known who the caller is: `sts`, `cache`, `degraded` while STS is away, or
            `jwt` for a token that AWS signed.
    """

    event: ClassVar[str] = "review"

    time: float
    decision: str
    result: str
    remote: str
    api_version: str = ""
    latency_ms: float = 0.0
    denial_id: str = ""
    reason: str = ""
    check: str = ""
    arn: str = ""
    canonical_arn: str = ""
    account: str = ""
    session: str = ""
    access_key_id: str = ""
    unproven_access_key_id: str = ""
    unproven_host: str = ""
    unproven_region: str = ""
    token_id: str = ""
    username: str = ""
    groups: tuple[str, ...] = ()
    mapping: str = ""
    mapping_reason: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AdmissionRecord:
    """What is written about an edit of the mappings that was refused, or forced.

    Attributes:
        time: seconds since the epoch.
        decision: `rejected` or `forced`.
        remote: the address of the API server that asked.
        operation: CREATE, UPDATE or DELETE.
        object: the kind and the name of what was edited.
        username: whose edit it was.
        findings: the ids of what spoke against it.
        forced_by: the reason that they gave.
        dry_run: `yes` if nothing was to be stored in any case.
        uid: the API server's name of the request.
    """

    event: ClassVar[str] = "admission"

    time: float
    decision: str
    remote: str
    operation: str
    object: str
    username: str
    findings: tuple[str, ...]
    forced_by: str = ""
    dry_run: str = ""
    uid: str = ""


Record: TypeAlias = "AuditRecord | AdmissionRecord"
Audits: TypeAlias = "Callable[[AuditRecord], None]"


def as_json(record: Record) -> str:
    """Give one line of JSON in ASCII, without the fields that are empty."""
    return _encode(dict(_fields(record)))


def as_text(record: Record) -> str:
    """Give one line of `name=value`, without the fields that are empty."""
    return " ".join(f"{name}={_quoted(value)}" for name, value in _fields(record))


_encode = json.JSONEncoder(separators=(",", ":")).encode
_NAMES: dict[type[Record], tuple[str, ...]] = {
    kind: tuple(field.name for field in fields(kind) if field.name != "time")
    for kind in (AuditRecord, AdmissionRecord)
}


def _fields(record: Record) -> Iterator[tuple[str, object]]:
    yield "time", rfc3339(record.time, milliseconds=True)
    yield "event", record.event
    yield "version", VERSION
    for name in _NAMES[type(record)]:
        value = getattr(record, name)
        if value not in ("", ()):
            yield name, value


def _quoted(value: object) -> str:
    text = ",".join(value) if isinstance(value, tuple) else str(value)
    return text if _PLAIN.fullmatch(text) else json.dumps(text)
