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
    def short(self) -> str:
        """The name without its path."""
        return self.name.rpartition("/")[2]

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
    pinned = ""
    for number, tier in enumerate(tiers):
        fitting = [
            # One principal, then one whose path was dropped, then patterns with more letters first;
            # of equal ones the last.
            (
                2 if entry.wildcards else int("/" in entry.name),
                entry.wildcards - len(entry.name) if entry.wildcards else 0,
                -index,
            )
            for index, entry in enumerate(tier)
            if entry.account == account
            and glob(entry.short.lower(), name.lower())
            and entry.expires not in expired
        ]
        for _, _, place in sorted(fitting):
            entry = tier[-place]
            if pinned and not (entry.user_id and entry.short.lower() == pinned):
                continue
            if entry.user_id in ("", user_id):
                return f"{number}-{-place}"
            pinned = entry.short.lower()
    return f"arn:aws:iam::{account}:role/{name}" if account in accounts and not pinned else None
