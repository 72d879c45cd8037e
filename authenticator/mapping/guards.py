"""What a source may not grant, whatever its document says."""

from __future__ import annotations

from dataclasses import dataclass

from authenticator.display import is_printable

# Kubernetes binds its own components' rights to these: `system:masters` may do everything, and
# the username `system:kube-controller-manager` nearly so.
SYSTEM = "system:"
# The API server sets no limit; a canonical ARN needs up to 700.
MAX_LENGTH = 1024


@dataclass(frozen=True, slots=True)
class Guard:
    """The limits of one source, checked on rendered values.

    Attributes:
        username_prefixes: what no username may begin with.
        group_prefixes: what no group may begin with.
        system_names: whether the source may grant usernames and groups that begin with `system:`.
    """

    username_prefixes: tuple[str, ...] = ()
    group_prefixes: tuple[str, ...] = ()
    system_names: bool = True

    def refusal(self, username: str, groups: tuple[str, ...]) -> str:
        """Why these may not be granted; "" if they may."""
        for kind, names, prefixes in (
            ("username", (username,), self.username_prefixes),
            ("group", groups, self.group_prefixes),
        ):
            for name in names:
                if not self.system_names and name.startswith(SYSTEM):
                    return f"this source may not grant the {kind} {name!r}: it begins with {SYSTEM}"
                for prefix in prefixes:
                    if name.startswith(prefix):
                        return f"the {kind} {name!r} begins with the reserved prefix {prefix!r}"
        return ""


def unusable(name: str) -> str:
    """Why a rendered username or group may not go to the API server; "" if it may.

    The API server itself would take anything: an empty username, line breaks, look-alikes.
    """
    if not name:
        return "it is empty"
    if len(name) > MAX_LENGTH:
        return f"it is longer than {MAX_LENGTH} characters"
    if not is_printable(name) or name != name.strip():
        return "it has control or invisible characters, or spaces at an end"
    return ""
