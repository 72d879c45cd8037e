"""Whether this worker is ready, with what an administrator should put right."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from authenticator.sources.base import SourceState
from authenticator.sources.chain import StoreStatus


@dataclass(frozen=True, slots=True)
class Readiness:
    """The answer to `/readyz`.

    Attributes:
        ready: whether every source has been read since the start. A source that has become
            unreachable since then does not make us unready: its last good mappings are in force,
            and an unready server could let nobody in.
        detail: JSON.
    """

    ready: bool
    detail: bytes


def readiness(status: StoreStatus, scrubbed_accounts: frozenset[str]) -> Readiness:
    """Describe the state of the mappings.

    Args:
        status: the state.
        scrubbed_accounts: AWS accounts whose ids must not be shown.
    """
    detail = {
        "ready": status.ready,
        "mappings": status.size,
        "sources": [_source(state) for state in status.sources],
        "overlaps": [str(overlap) for overlap in status.overlaps],
    }
    text = json.dumps(detail, indent=2) + "\n"
    for account in scrubbed_accounts:
        text = text.replace(account, "(scrubbed)")
    return Readiness(status.ready, text.encode())


def _source(state: SourceState) -> dict[str, Any]:
    return {
        "name": state.name,
        "synced": state.synced,
        "revision": state.revision,
        "staleSince": state.stale_since,
        "faults": [str(fault) for fault in state.faults],
    }
