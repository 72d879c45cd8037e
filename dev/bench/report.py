"""Keeps docs/benchmarks.md: a section for each scenario, replaced when it is run again."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_INTRODUCTION = """\
# Benchmarks

Figures against the Go reference (kubernetes-sigs/aws-iam-authenticator, the version that
`dev/bench/go.mod` pins), both on one machine and in turns: reference, ours, reference, ours.
Ratios are the median of the pairs, with the lowest and the highest pair where they are shown.

`make bench` runs the routine scenarios, `make bench NAME ...` those named. With
`python -m dev.bench NAME ...` (`--list` names them all), `--runs`, `--duration` and
`--connections` change their size.
A section is replaced when its scenario is run again and kept otherwise; each says when and
where it was taken.

How the servers are measured: a server is started afresh for each window, on loopback, with the
same configuration. The load generator (`dev/bench/loadgen`) sends TokenReviews as
kube-apiserver does, over HTTPS/1.1 with keep-alive; an answer counts as authenticated only if
it names the right user. STS is a double (`dev/bench/stsdouble`) that both servers reach through
`HTTPS_PROXY` and that verifies each signature. Load generator, double and server share the
machine's cores without pinning, so rates are those of all three together: what the first two
take, the server does not get, and each section says how much that was. It is more beside a
server that opens many connections to STS, since the double then pays for its half of the
handshakes; the real STS pays for them elsewhere, and such a server gains. Memory is PSS, the
sum over all processes of the server.
"""


def updated(document: str, defaults: dict[str, str], sections: dict[str, str]) -> str:
    """Return the document with these sections in place of the old ones of the same name.

    `defaults` holds all known sections in their order, as they are before they are first
    measured; a section that is not among them is dropped.
    """
    kept = defaults | existing(document) | sections
    parts = [
        f"<!-- begin {name} -->\n{kept[name].strip()}\n<!-- end {name} -->\n" for name in defaults
    ]
    return "\n".join([_INTRODUCTION, *parts])


def existing(document: str) -> dict[str, str]:
    """Read the sections of a document by name."""
    marked = r"^<!-- begin (?P<name>[a-z-]+) -->\n(?P<text>.*?)^<!-- end (?P=name) -->$"
    found = re.finditer(marked, document, re.MULTILINE | re.DOTALL)
    return {match["name"]: match["text"].strip() for match in found}


def section(*, title: str, about: str, taken: str, body: str = "") -> str:
    """Write one section; `taken` says when, where and how."""
    return "\n\n".join(part for part in (f"## {title}", about, taken, body) if part)


def not_taken(*, name: str, title: str, about: str) -> str:
    """Write a section that waits for its first figures."""
    taken = f"Not taken yet; `python -m dev.bench {name}` does."
    return section(title=title, about=about, taken=taken)


def save(path: Path, defaults: dict[str, str], sections: dict[str, str]) -> None:
    """Update the file, or make it."""
    document = path.read_text(encoding="utf-8") if path.exists() else ""
    path.write_text(updated(document, defaults, sections), encoding="utf-8")
