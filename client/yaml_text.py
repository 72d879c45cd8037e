"""Write plain data as YAML: what a kubeconfig needs, without a YAML library.

Every string that could be read as something else is quoted as in JSON, which YAML reads alike.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from .display import is_seen

# A letter first: no number, date, marker or indicator can start so.
_PLAIN = re.compile(r"[A-Za-z/][A-Za-z0-9_./:@+=-]*[A-Za-z0-9_/@+=-]|[A-Za-z]{2}", re.ASCII)
# YAML 1.1 takes these for booleans and nulls.
_WORDS = frozenset({"true", "false", "yes", "no", "on", "off", "null", "y", "n"})


def dump(document: dict[str, Any]) -> str:
    """Return a document of mappings, lists and scalars as YAML.

    Raises:
        TypeError: it holds something else.
    """
    return "".join(f"{line}\n" for line in _block(document))


def _block(value: Any) -> Iterator[str]:
    """Yield the lines of a mapping or list that is not empty."""
    if isinstance(value, dict):
        for key, child in value.items():
            yield from _entry(
                f"{_scalar(key)}:", child, indent="  " if isinstance(child, dict) else ""
            )
    else:
        for child in value:
            first, *rest = (
                _block(child) if child and isinstance(child, dict | list) else [_scalar(child)]
            )
            yield f"- {first}"
            for line in rest:
                yield f"  {line}"


def _entry(start: str, child: Any, indent: str) -> Iterator[str]:
    if child and isinstance(child, dict | list):
        yield start
        for line in _block(child):
            yield f"{indent}{line}"
    else:
        yield f"{start} {_scalar(child)}"


def _scalar(value: Any) -> str:
    if isinstance(value, str):
        if _PLAIN.fullmatch(value) and value.lower() not in _WORDS:
            return value
        # YAML does not allow all of JSON's characters, nor does a terminal show them.
        quoted = json.dumps(value, ensure_ascii=False)
        return "".join([c if is_seen(c) else f"\\U{ord(c):08x}" for c in quoted])
    # Empty collections, numbers, booleans and null are the same in both.
    return json.dumps(value)
