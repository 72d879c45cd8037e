"""`dynamicBackendModePath`: a file that names the chain of sources, read again when it changes."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from pathlib import Path

from authenticator.mapping.nodes import DocumentError, Fields, Text, read
from authenticator.modes import canonical_modes
from authenticator.sources.poll import INTERVAL, FilePoll

_LOG = logging.getLogger(__name__)


class ModesFile:
    """Follows the file and tells of each new chain; a bad file changes nothing."""

    def __init__(
        self,
        path: Path,
        on_modes: Callable[[tuple[str, ...]], None],
        interval: float = INTERVAL,
    ) -> None:
        """Prepare to follow `path`; `on_modes` is told of canonical modes."""
        self._path = path
        self._on_modes = on_modes
        self._poll = FilePoll(path, self._changed, interval)

    def start(self) -> None:
        """Read the file now, and go on looking at it."""
        self._poll.start()

    def stop(self) -> None:
        """Stop looking."""
        self._poll.stop()

    def look(self) -> None:
        """Look at the file now rather than at the next interval."""
        self._poll.look()

    def _changed(self, content: bytes | OSError) -> None:
        try:
            if isinstance(content, OSError):
                raise content
            modes = _modes(content.decode())
        except (OSError, ValueError) as error:
            _LOG.warning("%s is ignored, and the sources stay as they are: %s", self._path, error)
            return
        self._on_modes(modes)


def _modes(text: str) -> tuple[str, ...]:
    node = read(text)
    values = {k.lower(): v for k, v in node.values.items()} if isinstance(node, Fields) else {}
    named = values.get("backendmode")
    if not isinstance(named, Text) or named.value is None:
        raise DocumentError('it must be of the form {"backendMode": "EKSConfigMap DynamicFile"}')
    return canonical_modes(filter(None, re.split(r"[\s,]+", named.value)))
