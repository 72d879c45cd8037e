"""What a conversion makes: entries or text, and what had to be left out or changed."""

from __future__ import annotations

from dataclasses import dataclass

from authenticator.editing.entry import MappingEntry, Value


@dataclass(frozen=True, slots=True)
class Note:
    """Something that an administrator should know about a conversion.

    Attributes:
        subject: the entry, as `subject` names it; "" for the document as a whole.
        text: what could not be carried over, and what to do.
        left_out: whether the entry is missing from the result.
    """

    subject: str
    text: str
    left_out: bool = False

    def __str__(self) -> str:
        """One line for people."""
        subject = f"{self.subject}: " if self.subject else ""
        return f"{subject}{'left out: ' if self.left_out else ''}{self.text}"


@dataclass(frozen=True, slots=True)
class Conversion:
    """What was read.

    Attributes:
        entries: what can be used, in the order of the document.
        notes: about the rest.
        empty: the sections that the document has without an entry.
    """

    entries: tuple[MappingEntry, ...]
    notes: tuple[Note, ...] = ()
    empty: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Export:
    """What was written.

    Attributes:
        text: the document; it ends with a line break unless it is empty.
        notes: about what it does not say.
    """

    text: str
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True, slots=True)
class Options:
    """What some formats need to be told.

    Attributes:
        cluster: the cluster's name, which eksctl and EKS want.
        region: the cluster's Region, which eksctl wants.
        map_admin_policy: whether who has EKS's AmazonEKSClusterAdminPolicy for the whole cluster
            is to get `system:masters`.
        for_eks: whether access policies and types of EKS are kept, in `EKS_KEYS` of the entries.
    """

    cluster: str = ""
    region: str = ""
    map_admin_policy: bool = False
    for_eks: bool = False


def subject(entry: MappingEntry) -> str:
    """What names an entry to people: its principal, or that it has none."""
    return entry.principal or f"an entry of {entry.section} that names nobody"


def entry_for(section: str, **fields: Value) -> MappingEntry:
    """An entry with those of `fields` that say something."""
    return MappingEntry(section, {key: value for key, value in fields.items() if value})
