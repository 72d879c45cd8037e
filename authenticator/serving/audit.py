"""The audit log: one line for each decision, written by a thread that no login ever waits for."""

from __future__ import annotations

import json
import os
import queue
import re
import select
import threading
import time
from dataclasses import dataclass, fields
from datetime import datetime, timezone
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

# What may stand unquoted in the text format; anything else is quoted and escaped, so that no value
# can end a line or begin another field.
_PLAIN = re.compile(r"[\w.:/@+,*{}-]+", re.ASCII)
_BATCH = 256
# Writing each line as it comes would wake a thread, and stop another, for each review.
_PAUSE_SECONDS = 0.02


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


class AuditLog:
    """Takes records from any thread at once, and writes them from one of its own.

    A reader of the log that stalls (a full pipe) delays nobody: up to `capacity` records wait, and
    what comes beyond them is dropped and counted.
    """

    def __init__(
        self,
        descriptor: int,
        render: Callable[[AuditRecord], str],
        *,
        dropped: Callable[[], None],
        capacity: int = 10_000,
    ) -> None:
        """Set up a log that is not running yet; `start` it after the last fork.

        Args:
            descriptor: the open file that lines are written to.
            render: `as_json` or `as_text`.
            dropped: is called for each record that is dropped.
            capacity: how many records may wait.
        """
        self._descriptor = descriptor
        self._render = render
        self._dropped = dropped
        self._capacity = capacity
        self._waiting: queue.SimpleQueue[AuditRecord | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._write, name="audit", daemon=True)

    def start(self) -> None:
        """Start writing."""
        self._thread.start()

    def stop(self, timeout: float = 2.0) -> None:
        """Write what waits, for at most `timeout` seconds."""
        self._waiting.put(None)
        self._thread.join(timeout)

    def add(self, record: AuditRecord) -> None:
        """Have `record` written soon; never blocks."""
        if self._waiting.qsize() >= self._capacity:
            self._dropped()
        else:
            self._waiting.put(record)

    def _write(self) -> None:
        going_on = True
        while going_on:
            records = [self._waiting.get()]
            while len(records) < _BATCH and not self._waiting.empty():
                records.append(self._waiting.get())
            going_on = None not in records
            lines = [self._render(record) + "\n" for record in records if record is not None]
            for piece in _atomic_pieces(line.encode() for line in lines):
                self._put(piece)
            if going_on and len(records) < _BATCH:
                time.sleep(_PAUSE_SECONDS)

    def _put(self, piece: bytes) -> None:
        """Write whole lines; a log that cannot be written costs its lines, never a login."""
        try:
            os.write(self._descriptor, piece)
        except OSError:
            for _ in range(piece.count(b"\n")):
                self._dropped()


def _atomic_pieces(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Join lines into pieces that a pipe takes whole, so that workers do not mix theirs (pipe(7)).

    A line that is longer stands alone.
    """
    piece = b""
    for line in lines:
        if piece and len(piece) + len(line) > select.PIPE_BUF:
            yield piece
            piece = b""
        piece += line
    if piece:
        yield piece
