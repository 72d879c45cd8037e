"""Whether this worker is ready, with what an administrator should put right."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from authenticator.serving.certificates.pair import ServerCertificate
from authenticator.sources.base import SourceState
from authenticator.sources.chain import StoreStatus
from authenticator.timestamps import rfc3339
from authenticator.verdicts.breaker import StsHealth
from authenticator.verdicts.issuer_keys import IssuerState


@dataclass(frozen=True, slots=True)
class Readiness:
    """The answer to `/readyz`.

    Attributes:
        ready: whether the server can do its work: every source has been read since the start or
            has its last good mappings in force, and the certificate is one that API servers
            accept. STS takes no part: without it those who have logged in lately still can, and an
            unready server could let nobody in.
        detail: JSON.
    """

    ready: bool
    detail: bytes


def readiness(
    status: StoreStatus,
    *,
    certificate: ServerCertificate | None,
    sts: StsHealth,
    admission: Mapping[str, Any],
    loose_files: tuple[str, ...],
    scrubbed_accounts: frozenset[str],
    now: datetime,
    issuers: Sequence[IssuerState] = (),
    warnings: Sequence[str] = (),
    faults: Sequence[str] = (),
) -> Readiness:
    """Describe the state of the server.

    Args:
        status: the state of the mappings.
        certificate: what this worker serves; None before it has been loaded.
        sts: how STS has been lately.
        admission: who may ask `/validate`, and did.
        loose_files: files that decide and that other users can change.
        scrubbed_accounts: AWS accounts whose ids must not be shown.
        now: the time, aware.
        issuers: the keys of the issuers of JWTs. They take no part in `ready`, as STS does not.
        warnings: what an administrator should do, while the server works.
        faults: why this worker cannot work.
    """
    valid = certificate is not None and now < certificate.ends
    ready = status.ready and valid and not faults
    detail: dict[str, Any] = {
        "ready": ready,
        "faults": list(faults),
        "warnings": list(warnings),
        "mappings": status.size,
        "sources": [_source(state) for state in status.sources],
        "overlaps": [str(overlap) for overlap in status.overlaps],
        "certificate": {
            "valid": valid,
            "ends": rfc3339(certificate.ends.timestamp()) if certificate else None,
        },
        "admission": dict(admission),
        "looseFiles": list(loose_files),
        "sts": {
            "lastAnswer": _rfc3339(sts.last_answer),
            "silentHosts": sts.silent_hosts,
            "unusedSilentHosts": sts.unused_silent_hosts,
        },
    }
    if issuers:
        detail["webIdentity"] = [_issuer(state) for state in issuers]
    text = json.dumps(detail, indent=2) + "\n"
    for account in scrubbed_accounts:
        text = text.replace(account, "(scrubbed)")
    return Readiness(ready, text.encode())


def _rfc3339(unix: float | None) -> str | None:
    return None if unix is None else rfc3339(unix)


def _issuer(state: IssuerState) -> dict[str, Any]:
    return {
        "issuer": state.url,
        "keys": state.keys,
        "since": _rfc3339(state.since),
        "fault": state.fault,
    }


def _source(state: SourceState) -> dict[str, Any]:
    return {
        "name": state.name,
        "synced": state.synced,
        "revision": state.revision,
        "staleSince": _rfc3339(state.stale_since),
        "faults": [str(fault) for fault in state.faults],
    }
