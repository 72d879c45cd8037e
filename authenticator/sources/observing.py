"""For whoever looks at the mappings of a server without being one: nothing is written anywhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from authenticator.mapping.problems import Problem
from authenticator.sources.base import Kept, Publish, SourceState
from authenticator.sources.cluster import Object
from authenticator.sources.last_good import LastGoodFiles
from authenticator.sources.reports import Target


class Unsaved:
    """`LastGood` that reads what a server has kept, and keeps nothing itself."""

    def __init__(self, directory: Path) -> None:
        """Read in `directory`, which need not exist."""
        self._files = LastGoodFiles(directory)

    def load(self, source: str) -> Kept | None:
        """See `LastGood.load`."""
        return self._files.load(source)

    def save(self, source: str, texts: Callable[[], Mapping[str, str]]) -> None:
        """See `LastGood.save`."""


class Unreported:
    """`Reports` to nobody."""

    def problems(self, target: Target, problems: Sequence[Problem]) -> None:
        """See `Reports.problems`."""

    def status(self, path: str, status: Object, *, urgent: bool) -> None:
        """See `Reports.status`."""


class Still:
    """A `Source` that has been read already and never changes."""

    def __init__(self, state: SourceState) -> None:
        """Have nothing to say but `state`."""
        self._state = state

    @property
    def name(self) -> str:
        """See `Source.name`."""
        return self._state.name

    def start(self, publish: Publish) -> None:
        """See `Source.start`."""
        publish(self._state)

    def stop(self) -> None:
        """See `Source.stop`."""
