"""All that a server has, and which of it decides: as its own rules do."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from authenticator.admin.in_force import InForce, of_server
from authenticator.admin.mappings.everything import Claim, claims
from authenticator.sources.mappings import SourceOptions
from tests.authenticator.mapping.callers import role
from tests.authenticator.sources.doubles import FakeCluster

ROLES = "arn:aws:iam::111122223333:role/"
NOW = 1_900_000_000.0
AWS_AUTH: list[dict[str, Any]] = [
    {"rolearn": f"{ROLES}Dev", "username": "first"},
    {"rolearn": f"{ROLES}Dev", "username": "last"},
    {"rolearn": f"{ROLES}Old", "username": "old", "expires": "2020-01-01T00:00:00Z"},
    {"rolearn": f"{ROLES}Typo", "username": "{{Typo}}"},
    {"rolearn": f"{ROLES}Ops", "username": "ops", "groups": ["ops"]},
    {
        "rolearn": f"{ROLES}Ops",
        "username": "ops",
        "groups": ["ops", "on-call"],
        "expires": "2099-01-01T00:00:00Z",
        "reason": "ticket",
    },
]
SERVER = {
    "mapRoles": [
        {"rolearn": f"{ROLES}Dev", "username": "mounted"},
        {"rolearn": f"{ROLES}D*", "username": "pattern"},
    ],
    "mapAccounts": ["111122223333"],
}


def everything(tmp_path: Path) -> InForce:
    cluster = FakeCluster()
    cluster.put("aws-auth", data={"mapRoles": json.dumps(AWS_AUTH)})
    config, glass = tmp_path / "config.yaml", tmp_path / "glass.json"
    config.write_text(json.dumps({"server": SERVER}))
    glass.write_text(json.dumps({"mapRoles": [{"rolearn": f"{ROLES}Glass", "username": "g"}]}))
    options = SourceOptions(
        modes=("EKSConfigMap", "MountedFile"),
        state_dir=tmp_path,
        config=config,
        break_glass=glass,
        administrators=(f"{ROLES}Boss",),
    )
    return of_server(options, cluster)


def test_all_mappings_are_listed_in_the_order_in_which_they_are_asked(tmp_path: Path) -> None:
    found = [
        (claim.principal.rpartition("/")[2], claim.match.username.written, claim.verdict)
        for claim in claims(everything(tmp_path), NOW)
    ]
    first = "EKSConfigMap mapRoles"
    assert found == [
        ("Boss", "{{CanonicalARN}}", "yes"),
        ("Ops", "ops", "yes"),
        ("Ops", "ops", f"no: {first}[5], line 1 comes first until 2099-01-01T00:00:00Z"),
        ("Typo", "{{CanonicalARN}}", "refuses"),
        ("Old", "old", "no: expired"),
        ("Dev", "last", "yes"),
        ("Dev", "first", f"no: {first}[1], line 1 comes first"),
        ("Dev", "mounted", f"no: {first}[1], line 1 comes first"),
        ("D*", "pattern", "yes"),
        ("Glass", "g", "yes"),
        ("111122223333", "{{CanonicalARN}}", "yes"),
    ]


def test_what_decides_is_what_a_login_gets(tmp_path: Path) -> None:
    found = everything(tmp_path)
    by_origin: dict[str, Claim] = {str(c.match.origin): c for c in claims(found, NOW)}
    for name in ("Dev", "Ops", "Old", "Typo", "Boss", "Glass", "Dave", "Stranger"):
        match = found.rules.find(role(name), NOW)
        refusing = found.rules.refusing(role(name), NOW)
        if match:
            assert by_origin[str(match.origin)].verdict == "yes"
        else:
            assert refusing is not None
            assert by_origin[str(refusing[0].match.origin)].verdict == "refuses"


def test_it_says_what_was_read(tmp_path: Path) -> None:
    found = everything(tmp_path)
    assert found.sources == (
        "bootstrapAdministrators: 1 mapping",
        "EKSConfigMap: 5 mappings",
        "MountedFile: 3 mappings",
        "BreakGlass: 1 mapping",
    )
    assert replace(found, left_out=()).coverage.endswith("BreakGlass: 1 mapping.")
