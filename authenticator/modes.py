"""The names of the sources of mappings (`backendMode`)."""

from __future__ import annotations

from collections.abc import Iterable
from types import MappingProxyType

MOUNTED_FILE = "MountedFile"
EKS_CONFIG_MAP = "EKSConfigMap"
CRD = "CRD"
DYNAMIC_FILE = "DynamicFile"
# The reference's names, its older ones included, in lower case.
MODES = MappingProxyType(
    {
        "mountedfile": MOUNTED_FILE,
        "file": MOUNTED_FILE,
        "eksconfigmap": EKS_CONFIG_MAP,
        "configmap": EKS_CONFIG_MAP,
        "crd": CRD,
        "dynamicfile": DYNAMIC_FILE,
    }
)


def canonical_modes(names: Iterable[str]) -> tuple[str, ...]:
    """Return the canonical modes for `names`, in order.

    Raises:
        ValueError: one is unknown or a duplicate, or the list is empty.
    """
    given = tuple(names)
    unknown = [name for name in given if name.lower() not in MODES]
    if unknown or not given:
        known = ", ".join(dict.fromkeys(MODES.values()))
        raise ValueError(f"{', '.join(unknown) or 'nothing'} given where one of {known} is needed")
    modes = tuple(MODES[name.lower()] for name in given)
    if len(set(modes)) != len(modes):
        raise ValueError("a mode is named twice")
    return modes
