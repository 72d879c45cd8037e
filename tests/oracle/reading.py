"""What the documents of a case say, read loosely: for the conditions of the table of differences.

Neither of the two programs reads so. Every scalar is text, keys are in lower case, and what cannot
be parsed is `None`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

import yaml

from dev.oracle import Caller, Step

SECTIONS = ("mapRoles", "mapUsers", "mapAccounts")
_ARNS = ("rolearn", "userarn", "arn")


@dataclass(frozen=True)
class Found:
    """One item of a section, or one custom resource.

    Attributes:
        mode: its source.
        section: its section.
        item: as it is written, every scalar a text.
        typed: the same with the types of YAML 1.1.
    """

    mode: str
    section: str
    item: Any
    typed: Any

    @property
    def fields(self) -> dict[str, Any]:
        """The keys in lower case without blanks; none for an item that is no map."""
        if not isinstance(self.item, dict):
            return {}
        return {str(key).strip().lower(): value for key, value in self.item.items()}

    @property
    def types(self) -> set[type]:
        """The types of its username, groups and account ids."""
        if not isinstance(self.typed, dict):
            return {type(self.typed)}
        fields = lowered(self.typed)
        groups, sso = fields.get("groups"), fields.get("sso")
        values = [fields.get("username"), *(groups if isinstance(groups, list) else [groups])]
        return {*map(type, values), *map(type, sso.values() if isinstance(sso, dict) else ())}

    @property
    def arn(self) -> str:
        """Its ARN as it is written; "" if it has none."""
        found = next((self.fields[key] for key in _ARNS if key in self.fields), "")
        return found if isinstance(found, str) else ""

    @property
    def names(self) -> list[str]:
        """The username and the groups as they are written."""
        groups = self.fields.get("groups")
        listed = groups if isinstance(groups, list) else [groups]
        return [str(name) for name in (self.fields.get("username"), *listed) if name is not None]

    def claims(self, caller: Caller) -> bool:
        """Whether it names the caller, in whatever way."""
        key = canonical(caller)
        if self.section == "mapAccounts":
            return str(self.item).strip() == caller.account
        if caller.user_id.partition(":")[0] == self.fields.get("userid"):
            return True
        if "sso" in self.fields and "awsreservedsso_" in key:
            return True
        arn = self.arn.strip().lower()
        arn = re.sub(r":sts:(.*):assumed-role/([^/]*)/.*", r":iam:\1:role/\2", arn)
        arn = re.sub(r":role/.*/", ":role/", arn)
        return fnmatchcase(key, arn)


def canonical(caller: Caller) -> str:
    """The caller's ARN as mappings name it, in lower case."""
    found = re.sub(r":sts:(.*):assumed-role/([^/]*)/.*", r":iam:\1:role/\2", caller.arn)
    return found.lower()


def entries(modes: tuple[str, ...], step: Step) -> Iterator[Found]:
    """All items of all sources at one time."""
    for mode in modes:
        typed = sections(mode, step, yaml.SafeLoader)
        for section, value in sections(mode, step, yaml.BaseLoader).items():
            for item, other in zip(_items(value), _items(typed.get(section)), strict=False):
                yield Found(mode, section, item, other)


def _items(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def sections(mode: str, step: Step, loader: type[yaml.BaseLoader]) -> dict[str, Any]:
    """The sections of one source, or its custom resources, each as a list."""
    if mode in ("EKSConfigMap", "ConfigMap"):
        return {key: parsed(text, loader) for key, text in (step.aws_auth or {}).items()}
    if mode == "CRD":
        return {name: [dict(spec)] for name, spec in step.objects.items()}
    content = step.dynamic if mode == "DynamicFile" else step.config
    document = parsed((content or b"").decode(), loader)
    if mode != "DynamicFile" and isinstance(document, dict):
        document = lowered(document).get("server")
    found = lowered(document) if isinstance(document, dict) else {}
    return {name: found[name.lower()] for name in SECTIONS if name.lower() in found}


def lowered(fields: dict[Any, Any]) -> dict[str, Any]:
    """A map with its keys in lower case."""
    return {str(key).lower(): value for key, value in fields.items()}


def parsed(text: str, loader: type[yaml.BaseLoader] = yaml.BaseLoader) -> Any:
    """The first document of a text; None if there is none."""
    try:
        return next(iter(yaml.load_all(text, loader)), None)
    except yaml.YAMLError:
        return None


def has_key_twice(text: str) -> bool:
    """Whether a key stands twice in a map of the first document, in any case."""
    try:
        root = next(iter(yaml.compose_all(text, yaml.BaseLoader)), None)
    except yaml.YAMLError:
        return False
    return root is not None and _is_doubled(root)


def _is_doubled(node: yaml.Node) -> bool:
    if isinstance(node, yaml.SequenceNode):
        return any(map(_is_doubled, node.value))
    if not isinstance(node, yaml.MappingNode):
        return False
    keys = [str(key.value).lower() for key, _ in node.value]
    return len(set(keys)) < len(keys) or any(_is_doubled(value) for _, value in node.value)
