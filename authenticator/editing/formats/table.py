"""The formats: one table."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from authenticator.editing.entry import MappingEntry
from authenticator.editing.formats import (
    access_entries,
    access_entries_writer,
    aws_auth,
    eksctl,
    held,
    identity_mappings,
    terraform,
)
from authenticator.editing.formats.conversion import (
    Conversion,
    Export,
    Note,
    Options,
    subject,
)
from authenticator.editing.formats.texts import trees
from authenticator.mapping.nodes import DocumentError, Node
from authenticator.mapping.unrendered import unrendered

_Nodes = tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Format:
    """A format that mappings can be read from and written in.

    Attributes:
        name: what the flag `--format` takes.
        description: for people.
        recognises: whether a document looks like one.
        read: makes entries of a document.
        write: makes a document of entries.
        parse: makes values of the text, or refuses a format that is written only.
    """

    name: str
    description: str
    recognises: Callable[[_Nodes], bool]
    read: Callable[[_Nodes, Options], Conversion]
    write: Callable[[Iterable[MappingEntry], Options], Export]
    parse: Callable[[str], _Nodes] = trees


# In the order in which a document is tried.
FORMATS = (
    Format(
        "aws-auth",
        "the ConfigMap aws-auth, or a file with mapRoles, mapUsers and mapAccounts",
        held.recognises,
        held.read,
        aws_auth.write,
    ),
    Format(
        "crd",
        "IAMIdentityMapping objects",
        held.recognises,
        held.read,
        identity_mappings.write,
    ),
    Format(
        "eksctl",
        "iamIdentityMappings of an eksctl ClusterConfig",
        eksctl.recognises,
        eksctl.read,
        eksctl.write,
    ),
    Format(
        "access-entries",
        "EKS access entries, as `aws eks` prints and takes them",
        access_entries.recognises,
        access_entries.read,
        access_entries_writer.write,
    ),
    Format(
        "terraform-json",
        "terraform.tfvars.json with aws_auth_roles, or `terraform output -json`",
        terraform.recognises,
        terraform.read,
        terraform.write_json,
    ),
    Format(
        "terraform",
        "terraform.tfvars with aws_auth_roles (written only)",
        terraform.recognises,
        terraform.read,
        terraform.write_hcl,
        terraform.refuse_hcl,
    ),
)
NAMES = tuple(found.name for found in FORMATS)


def named(name: str) -> Format:
    """The format called `name`, one of `NAMES`."""
    return next(found for found in FORMATS if found.name == name)


def read(text: str, options: Options, name: str = "") -> Conversion:
    """Read mappings.

    Args:
        text: the document.
        options: see `Options`.
        name: one of `NAMES`; "" to find out.

    Raises:
        DocumentError: it is no document of this format, or of none that is known.
    """
    if name:
        chosen = named(name)
        return _rendered(chosen.read(chosen.parse(text), options))
    if terraform.is_hcl(text):
        terraform.refuse_hcl(text)
    nodes = trees(text)
    found = next((known for known in FORMATS if known.recognises(nodes)), None)
    if found is None:
        raise DocumentError(
            f"its format is none of {', '.join(NAMES)}; name it with 'mappings import --format'"
        )
    return _rendered(found.read(nodes, options))


def _rendered(found: Conversion) -> Conversion:
    """The conversion without entries whose values are templates: `${user}` names no one."""
    templates = {
        number: template
        for number, entry in enumerate(found.entries)
        if (template := unrendered(str(dict(entry.fields))))
    }
    notes = [Note(subject(found.entries[n]), text, left_out=True) for n, text in templates.items()]
    entries = (entry for number, entry in enumerate(found.entries) if number not in templates)
    return replace(found, entries=tuple(entries), notes=(*found.notes, *notes))
