"""IAMIdentityMapping objects, and entries of aws-auth as such objects."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from authenticator.editing.entry import MappingEntry, Value
from authenticator.editing.formats.aws_auth import quoted
from authenticator.editing.formats.checking import Usable
from authenticator.editing.formats.conversion import Export, Note, Options
from authenticator.editing.formats.names import names
from authenticator.editing.formats.withholding import sift
from authenticator.mapping.conditions import CONDITION_KEYS

API_VERSION = "iamauthenticator.k8s.aws/v1alpha1"
KIND = "IAMIdentityMapping"


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
    known = ("groups", "userid", "reason", *CONDITION_KEYS)
    spec.update({key: fields[key] for key in known if key in fields})
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
