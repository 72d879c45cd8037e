"""Rules on `server.stsRegions` of a config file: whose tokens it keeps out."""

from __future__ import annotations

from collections.abc import Iterator

from authenticator.aws.sts_hosts import regions_of
from authenticator.lint.documents import Context, Frame
from authenticator.lint.findings import Finding, Place
from authenticator.lint.rules import RULES
from authenticator.mapping.nodes import Fields, Items, Node, Text, value_of
from authenticator.mapping.problems import shortened

_PARTITION = "aws"
_GLOBAL_REGION = "us-east-1"


def sts_regions(fields: Fields, name: str, frame: Frame, context: Context) -> Iterator[Finding]:
    """Look at the list of Regions that a config file has; nothing where all Regions count.

    Args:
        fields: the file as a map.
        name: the file.
        frame: where its text stands.
        context: see `Context`.
    """
    server = value_of(fields, "server")
    node = value_of(server, "stsRegions")
    listed = _listed(node)
    partition = _text(value_of(server, "partition")) or _PARTITION
    known = regions_of(partition)
    if node is None or not listed or not known:
        return
    place = Place(name, "server.stsRegions", -1, *frame.place(node.line, node.column))
    for region in listed:
        if region not in known:
            shown = shortened(region)
            message = f"{shown!r} is not a region of the partition {partition}"
            yield Finding(RULES["unknown-sts-region"], message, place)
    for region in context.client_regions:
        if region not in listed:
            message = (
                f"tokens that are signed for {shortened(region)} are denied; add it, or have"
                f" clients sign for {shortened(listed[0])} (AWS_REGION)"
            )
            yield Finding(RULES["missing-sts-region"], message, place)
    if partition == _PARTITION and _GLOBAL_REGION not in listed:
        message = (
            "tokens for the global host sts.amazonaws.com are denied, which clients without a"
            f" region sign for: give these AWS_REGION, or add {_GLOBAL_REGION} if it can be reached"
        )
        yield Finding(RULES["global-sts-host"], message, place)


def _listed(node: Node | None) -> list[str]:
    """The Regions: a list, or a text with commas, as settings have it."""
    if isinstance(node, Items):
        return [text for item in node.values if (text := _text(item))]
    return [text for part in _text(node).split(",") if (text := part.strip())]


def _text(node: Node | None) -> str:
    return (node.value or "").strip() if isinstance(node, Text) else ""
