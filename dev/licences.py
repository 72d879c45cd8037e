"""Refuses dependencies whose licences nobody has agreed to: `python -m dev.licences`.

All that the server needs at run time is looked at, since the image hands it on. The licence is the
one that a distribution states: as an SPDX expression (PEP 639), in the older field `License`, or by
its classifiers.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from importlib.metadata import Distribution

# The SPDX names of what can be handed on together under the Apache License 2.0, unchanged.
ALLOWED = frozenset(
    {
        *("0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT", "MIT-0", "PSF-2.0"),
        "MPL-2.0",  # for its own files only; certifi's list of authorities
    }
)
# How some say it who do not use the SPDX names.
_OLDER_NAMES = {
    "3-Clause BSD License": "BSD-3-Clause",
    "Apache 2.0": "Apache-2.0",
    "Apache License 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    # Of 2 or 3 clauses; with 3 both are kept to.
    "BSD License": "BSD-3-Clause",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
}
_CLASSIFIER = re.compile(r"License :: (?:OSI Approved :: )?(.+)")


def licence_of(distribution: Distribution) -> str:
    """Its licence as an SPDX expression; where no part of it is known, as it is stated, or ""."""
    if expression := "".join(_fields(distribution, "License-Expression")):
        return expression
    # The field may hold a licence's whole text.
    stated = "".join(_fields(distribution, "License")).partition("\n")[0].strip()
    if (name := _OLDER_NAMES.get(stated, stated)) in ALLOWED:
        return name
    classifiers = map(_CLASSIFIER.fullmatch, _fields(distribution, "Classifier"))
    names = [found[1] for found in classifiers if found is not None]
    # Whether one may choose among them is not said; so we keep to all.
    return " AND ".join(sorted(_OLDER_NAMES.get(name, name) for name in names)) or stated


def _fields(distribution: Distribution, name: str) -> list[str]:
    return distribution.metadata.get_all(name) or []


def allowed(expression: str) -> bool:
    """Tell whether one of the alternatives of an SPDX expression is allowed in all of its parts."""
    # AND binds closer. What has parentheses is in no list of ours, and for a person to read.
    alternatives = expression.split(" OR ")
    return any(ALLOWED.issuperset(one.split(" AND ")) for one in alternatives)


def refused(distributions: Iterable[Distribution]) -> list[str]:
    """A line for each distribution whose licence is not allowed."""
    licences = ((one.name, one.version, licence_of(one)) for one in distributions)
    return [
        f"{name} {version}: {licence or 'it states no licence'}"
        for name, version, licence in licences
        if not allowed(licence)
    ]


def main() -> None:
    """Look at what is locked; exit with 1 if anything is refused."""
    # Not at the top: the image's build has this module and not that one.
    from dev.locked import OutdatedError, installed  # noqa: PLC0415

    try:
        distributions = installed()
    except OutdatedError as error:
        sys.exit(f"dev.licences: {error}")
    if lines := refused(distributions):
        sys.exit("\n".join(["dev.licences: not in the list of dev/licences.py:", *lines]))
    print(f"The licences of {len(distributions)} dependencies are allowed.")


if __name__ == "__main__":
    main()
