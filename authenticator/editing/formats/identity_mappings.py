"""IAMIdentityMapping objects, and entries of aws-auth as such objects."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from authenticator.editing.entry import MappingEntry, Value
from authenticator.editing.formats.aws_auth import entry_of, quoted
from authenticator.editing.formats.checking import Usable, checked
from authenticator.editing.formats.conversion import Conversion, Export, Note, Options
from authenticator.editing.formats.names import names
from authenticator.editing.formats.texts import as_fields, as_text, objects
from authenticator.editing.formats.withholding import sift
from authenticator.mapping.nodes import Fields, Items, Node, Text
from authenticator.mapping.sections import MAP_ROLES, MAP_USERS, SECTIONS
from authenticator.mapping.selectors import by_arn

API_VERSION = "iamauthenticator.k8s.aws/v1alpha1"
KIND = "IAMIdentityMapping"


def recognises(nodes: tuple[Node, ...]) -> bool:
    """Whether it is an object of the kind, or a list of such."""
    first = nodes[0]
    if isinstance(first, Fields) and _kind(first) == "List":
        items = first.values.get("items")
        first = items.values[0] if isinstance(items, Items) and items.values else first
    return isinstance(first, Fields) and _kind(first) in (KIND, f"{KIND}List")


def read(nodes: tuple[Node, ...], _: Options) -> Conversion:
    """Read objects, the last name first: of several for one principal the first name applies.

    Raises:
        DocumentError: something is no object of the kind.
    """
    entries: list[MappingEntry] = []
    notes: list[Note] = []
    for obj in sorted(objects(nodes, KIND), key=_name, reverse=True):
        spec = as_fields(obj.values.get("spec") or Fields(obj.line), "spec")
        arn = as_text(spec.values.get("arn"), "spec.arn")
        try:
            role = by_arn(arn).is_role
        except ValueError as error:
            notes.append(Note(_name(obj), f"spec.arn: {error}", left_out=True))
            continue
        section, key = (MAP_ROLES, "rolearn") if role else (MAP_USERS, "userarn")
        entry = entry_of(section, spec)
        entries.append(
            MappingEntry(section, {key if k == "arn" else k: v for k, v in entry.fields.items()})
        )
    entries.sort(key=lambda entry: SECTIONS.index(entry.section))
    return checked(entries, *notes)


def write(entries: Iterable[MappingEntry], _: Options) -> Export:
    """Write the objects as a manifest, without what has no form there."""
    usables, notes = portable(entries)
    texts: list[str] = []
    for name, spec in specs(usables):
        lines = ["---", f"apiVersion: {API_VERSION}", f"kind: {KIND}", "metadata:"]
        lines += [f"  name: {name}", "spec:"]
        lines += [f"  {key}: {quoted(value)}" for key, value in spec.items()]
        texts.append("\n".join(lines) + "\n")
    return Export("".join(texts), tuple(notes))


def portable(entries: Iterable[MappingEntry]) -> tuple[list[Usable], list[Note]]:
    """The entries that an object can hold, and notes about the others."""
    return sift(entries, refusal)


def specs(usables: Sequence[Usable]) -> list[tuple[str, dict[str, Value]]]:
    """The name and the `spec` of the object for each entry.

    Args:
        usables: what `portable` found, in the order of a document: of several for one principal the
            last applies, and has the first name.
    """
    last_first = list(reversed(usables))
    selectors = [usable.selector for usable in last_first if usable.selector]
    return list(reversed(list(zip(names(selectors), map(_spec, last_first), strict=True))))


def _spec(usable: Usable) -> dict[str, Value]:
    fields = usable.entry.fields
    spec: dict[str, Value] = {
        "arn": usable.text("rolearn") or usable.text("userarn"),
        # The schema demands one, which aws-auth does not.
        "username": usable.text("username") or "{{CanonicalARN}}",
    }
    spec.update({key: fields[key] for key in ("groups", "userid") if key in fields})
    if expires := usable.text("expires"):
        # RFC 3339 lets a space and small letters stand in a time; the schema's date-time does not.
        spec["expires"] = f"{expires[:10]}T{expires[11:].upper()}"
    return spec


def refusal(usable: Usable) -> str:
    """Why an object cannot hold an entry, and what to do; "" if it can."""
    if usable.account:
        return (
            "a custom resource cannot map a whole account; keep it in mapAccounts, and the source"
            " that it is in"
        )
    if usable.selector and usable.selector.permission_set:
        return (
            "a custom resource cannot name a permission set; keep the entry where it is, or write"
            f" the ARN of its role with a pattern ({usable.selector.key[:-1]}????????????????)"
        )
    return ""


def _kind(obj: Fields) -> str:
    node = obj.values.get("kind")
    return (node.value or "") if isinstance(node, Text) else ""


def _name(obj: Fields) -> str:
    metadata = as_fields(obj.values.get("metadata") or Fields(obj.line), "metadata")
    return as_text(metadata.values.get("name"), "metadata.name")
