"""The log of everything that is not a review: one line each on standard error, text or JSON."""

from __future__ import annotations

import json
import logging
import sys
from datetime import datetime, timezone

# The reference's names for what Python calls otherwise.
_LEVELS = {
    "panic": logging.CRITICAL,
    "fatal": logging.CRITICAL,
    "error": logging.ERROR,
    "warning": logging.WARNING,
    "warn": logging.WARNING,
    "info": logging.INFO,
    "debug": logging.DEBUG,
    "trace": logging.DEBUG,
}


class _Formatter(logging.Formatter):
    def __init__(self, *, as_json: bool) -> None:
        super().__init__()
        self._as_json = as_json

    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created, timezone.utc)
        fields = {
            "time": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "msg": record.getMessage(),
        }
        if self._as_json:
            return json.dumps(fields)
        # Values are quoted, so that none can end a line or begin another field.
        return f"time={fields['time']} level={fields['level']} msg={json.dumps(fields['msg'])}"


def configure(log_format: str, verbosity: str) -> None:
    """Set the log up for this process and those that it forks.

    Args:
        log_format: `text` or `json`.
        verbosity: the least severe level that is written, by the reference's names.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Formatter(as_json=log_format == "json"))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(_LEVELS[verbosity])
