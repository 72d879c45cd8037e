"""Slow and obvious twins of what the product does fast."""

from __future__ import annotations

from dataclasses import dataclass


def glob(pattern: str, text: str) -> bool:
    """Whether `text` fits, letter by letter; wildcards cross neither `:` nor `/`."""
    if not pattern:
        return not text
    if pattern[0] == "*":
        return glob(pattern[1:], text) or (
            bool(text) and text[0] not in ":/" and glob(pattern, text[1:])
        )
    if not text:
        return False
    fits = text[0] not in ":/" if pattern[0] == "?" else pattern[0] == text[0]
    return fits and glob(pattern[1:], text[1:])


@dataclass(frozen=True)
class Entry:
    """A `mapRoles` entry in its parts."""

    account: str
    name: str
    user_id: str
    expires: str

    def written(self, username: str) -> dict[str, str]:
        """The entry as it stands in a document."""
        arn = f"arn:aws:iam::{self.account}:role/{self.name}"
        pin = {"userid": self.user_id} if self.user_id else {}
        end = {"expires": self.expires} if self.expires else {}
        return {"rolearn": arn, "username": username, **pin, **end}

    @property
    def wildcards(self) -> int:
        """How many characters of the name are wildcards."""
        return self.name.count("*") + self.name.count("?")


def find(
    tiers: list[list[Entry]],
    accounts: set[str],
    account: str,
    name: str,
    *,
    user_id: str,
    expired: set[str],
) -> str | None:
    """The username of a role, by docs/adr/0002 read aloud; entries are named TIER-INDEX."""
    for number, tier in enumerate(tiers):
        applicable = [
            (bool(entry.wildcards), entry.wildcards - len(entry.name), index)
            for index, entry in enumerate(tier)
            if entry.account == account
            and glob(entry.name.lower(), name.lower())
            and entry.user_id in ("", user_id)
            and entry.expires not in expired
        ]
        # One principal before patterns; among one principal's entries the order is all that counts.
        singles = [index for is_pattern, _, index in applicable if not is_pattern]
        if singles:
            return f"{number}-{min(singles)}"
        if applicable:
            return f"{number}-{min(applicable)[2]}"
    return f"arn:aws:iam::{account}:role/{name}" if account in accounts else None
