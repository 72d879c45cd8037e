"""What a source of a cluster does with what it is told."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from authenticator.mapping.guards import Guard
from authenticator.mapping.sections import SectionReader
from authenticator.sources.base import Context, Kept
from authenticator.sources.cluster_source import ClusterSource
from authenticator.sources.custom_resources import IdentityMappings
from tests.authenticator.sources.doubles import CountedMetrics, FakeCluster, RememberedReports

ROLE = "arn:aws:iam::111122223333:role/Dev"


class RememberedTexts:
    """`LastGood` that remembers what was saved."""

    def __init__(self) -> None:
        self.saved: list[dict[str, Any]] = []

    def load(self, source: str) -> Kept | None:
        return None

    def save(self, source: str, texts: Callable[[], Mapping[str, str]]) -> None:
        self.saved.append({name: json.loads(text) for name, text in texts().items()})


def mapping(username: str, generation: int, status: Any = None) -> dict[str, Any]:
    metadata = {"name": "a", "uid": "uid-a", "generation": generation}
    return {
        "metadata": metadata,
        "spec": {"arn": ROLE, "username": username},
        "status": status or {},
    }


def test_a_status_that_comes_back_is_not_kept_again() -> None:
    """Each of 5,000 statuses wrote all 5,000 objects to the disk."""
    kept = RememberedTexts()
    documents = IdentityMappings(SectionReader("CRD", Guard()))
    source = ClusterSource(
        FakeCluster(), documents, RememberedReports(), Context(kept, CountedMetrics())
    )
    source.listed([mapping("one", 1)])
    source.changed("MODIFIED", mapping("one", 1, {"canonicalARN": ROLE}))
    assert len(kept.saved) == 1
    source.changed("MODIFIED", mapping("two", 2))
    assert [texts["a"]["username"] for texts in kept.saved] == ["one", "two"]
    # A list tells that what is kept still holds.
    source.listed([mapping("two", 2)])
    assert len(kept.saved) == 3
