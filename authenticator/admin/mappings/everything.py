"""All mappings of a server, in the order in which they are asked, and which of them decide."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from authenticator.admin import in_force
from authenticator.admin.in_force import InForce
from authenticator.mapping.precedence import hiding, in_order
from authenticator.mapping.rules import Match, Rule
from authenticator.mapping.sections import Section
from authenticator.sources.cluster import Cluster
from authenticator.timestamps import rfc3339


@dataclass(frozen=True, slots=True)
class Claim:
    """One mapping among all.

    Attributes:
        principal: whom it names, as it is written.
        match: what it grants.
        expires: the Unix time at which it ends; None for never.
        verdict: "yes" if it decides for callers, "refuses" if it keeps them out, or why it does
            neither.
    """

    principal: str
    match: Match
    expires: float | None
    verdict: str

    @property
    def filtered(self) -> tuple[list[str], str]:
        """The groups, and when it ends in RFC 3339; "" for never."""
        groups = [group.written for group in self.match.groups]
        return groups, "" if self.expires is None else rfc3339(self.expires)

    def plain(self) -> dict[str, Any]:
        """The claim for programs; its keys are documented and stay."""
        groups, expires = self.filtered
        return {
            "principal": self.principal,
            "username": self.match.username.written,
            "groups": groups,
            "source": str(self.match.origin),
            "expires": expires,
            "decides": self.verdict,
        }


YES, REFUSES = "yes", "refuses"


def read(config: str | None, cluster: Cluster) -> InForce:
    """Read the sources of a server, or those of a cluster.

    Args:
        config: the server's config file; None for what stands in the cluster.
        cluster: the API server.

    Raises:
        ConfigError: the config file cannot be used.
    """
    if config is None:
        return in_force.of_cluster_alone(cluster)
    # Only here, since pydantic takes longer to import than most edits take.
    from authenticator.config import load  # noqa: PLC0415
    from authenticator.sources.options import source_options  # noqa: PLC0415

    loaded = load({}, os.environ, Path(config), {"cluster_id": "none"})
    return in_force.of_server(source_options(loaded.settings, loaded.file), cluster)


def claims(found: InForce, now: float) -> Iterator[Claim]:
    """Yield all mappings in the order in which they are asked.

    Args:
        found: the mappings.
        now: Unix time.
    """
    yield from _tier(found.administrators, now)
    yield from _tier(_rules(found.chain), now)
    yield from _tier(_rules(found.break_glass), now)
    seen: set[str] = set()
    for section in (*found.chain, *found.break_glass):
        for account_id, match in section.accounts:
            yield Claim(account_id, match, None, "no: listed before" if account_id in seen else YES)
            seen.add(account_id)


def _rules(sections: tuple[Section, ...]) -> tuple[Rule, ...]:
    return tuple(rule for section in sections for rule in (*section.rules, *section.denials))


def _tier(rules: tuple[Rule, ...], now: float) -> Iterator[Claim]:
    asked = [rule for rule in in_order(rules) if not rule.has_expired(now)]
    winners = dict(zip(map(id, asked), hiding(asked), strict=True))
    ending: dict[object, Rule] = {}
    for rule in in_order(rules):
        principal = rule.selector.written if rule.selector else f"userid {rule.user_id}"
        yield Claim(principal, rule.match, rule.expires, _verdict(rule, winners, ending, now))


def _verdict(
    rule: Rule, winners: dict[int, Rule | None], ending: dict[object, Rule], now: float
) -> str:
    if rule.has_expired(now):
        return "no: expired"
    if winner := winners[id(rule)]:
        return f"no: {winner.match.origin} comes first"
    key = (rule.selector.key if rule.selector else "", rule.user_id)
    if before := ending.get(key):
        return f"no: {before.match.origin} comes first until {rfc3339(before.expires or 0)}"
    if rule.expires is not None:
        ending[key] = rule
    return REFUSES if rule.denied else YES
