"""The audit log: one line for each decision."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, fields
from datetime import datetime, timezone
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

# What may stand unquoted in the text format; anything else is quoted and escaped, so that no value
# can end a line or begin another field.
_PLAIN = re.compile(r"[\w.:/@+,*{}-]+", re.ASCII)


@dataclass(slots=True, kw_only=True)
class AuditRecord:
    """What is written about one decision. Never a token or a signature; access key ids are public.

    It is filled in while the review is decided, and nobody's to change once it is in the log.

    Attributes:
        time: seconds since the epoch.
        decision: `allow`, `deny`, or `fault` when it could not be decided.
        result: the label `result` of the metrics.
        remote: the address of the API server that asked.
        api_version: the TokenReview's.
        latency_ms: how long the answer took.
        denial_id: a short random name of a refusal or fault, by which it can be found.
        reason: why it was not allowed.
        check: the name of the token check that failed.
        arn, canonical_arn, account, session, access_key_id: who STS proved the caller to be.
        username, groups: whom they became.
        mapping: where the mapping that applied stands.
        source: how it was known who the caller is: `sts`, `cache`, or `degraded` while STS is away.
    """

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
    username: str = ""
    groups: tuple[str, ...] = ()
    mapping: str = ""
    source: str = ""


def as_json(record: AuditRecord) -> str:
    """Give one line of JSON in ASCII, without the fields that are empty."""
    return _encode(dict(_fields(record)))


def as_text(record: AuditRecord) -> str:
    """Give one line of `name=value`, without the fields that are empty."""
    return " ".join(f"{name}={_quoted(value)}" for name, value in _fields(record))


_encode = json.JSONEncoder(separators=(",", ":")).encode
_NAMES = tuple(field.name for field in fields(AuditRecord) if field.name != "time")


def _fields(record: AuditRecord) -> Iterator[tuple[str, object]]:
    when = datetime.fromtimestamp(record.time, timezone.utc)
    yield "time", when.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    yield "event", "review"
    for name in _NAMES:
        value = getattr(record, name)
        if value not in ("", ()):
            yield name, value


def _quoted(value: object) -> str:
    text = ",".join(value) if isinstance(value, tuple) else str(value)
    return text if _PLAIN.fullmatch(text) else json.dumps(text)
