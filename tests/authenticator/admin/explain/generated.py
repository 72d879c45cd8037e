"""Servers, callers and tokens by chance, from few enough parts that they often meet."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from random import Random
from typing import TYPE_CHECKING, Any

from authenticator.admin.in_force import InForce
from authenticator.aws.arns import CallerIdentity
from authenticator.errors import NamesUnavailable, StsUnavailable, UnknownUser
from authenticator.mapping.documents import read_data
from authenticator.mapping.guards import Guard
from authenticator.mapping.problems import Origin
from authenticator.mapping.rules import administrator
from authenticator.mapping.sections import SectionReader
from authenticator.sources.base import SourceState
from authenticator.sources.chain import MappingStore
from authenticator.sources.observing import Still
from tests.authenticator.mapping.callers import ROLE_ID, caller
from tests.corpus import forge

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

NOW = 1_800_000_000.0
ACCOUNTS = ("111122223333", "111122223334", "999922223333")
_NAMES = (
    *("Dev", "dev1", "Team-a", "Ops", "Node"),
    *("AWSReservedSSO_Admin_0123456789abcdef", "AWSReservedSSO_Admin_fedcba9876543210"),
)
_PATTERNS = ("D*", "*", "De?", "Team-*", "*o*", "AWSReservedSSO_Admin_*")
_USERS = ("bob", "team/bob", "Bob1")
_SESSIONS = ("alice", "carol@example.com", "i-0123456789abcdef0", "i-00000000", "eks-x")
_USERNAMES = (
    *("plain", "dev:{{SessionName}}", "{{SessionName}}", "{{SessionNameRaw}}", "{{CanonicalARN}}"),
    *("{{AccountID}}:{{AccessKeyID}}", "system:node:{{EC2PrivateDNSName}}", "eks-{{AccountID}}"),
)
_GROUPS = ([], ["g"], ["g", "g"], ["system:masters"], ["{{SessionName}}"], ["a:{{AccountID}}"])
_PINS = ("", "", "", ROLE_ID, "AROAANOTHER0000000000", "AIDAEXAMPLEEXAMPLE123")
_ENDS = ("", "", "", "2020-01-01T00:00:00Z", "2099-01-01T00:00:00Z")
_GUARDS = (Guard(), Guard(("eks-",), ("eks-",)), Guard(system_names=False))
# What STS answers besides whom it proves.
_STS_FAULTS: tuple[tuple[int, object], ...] = (
    (403, {"Error": {"Code": "SignatureDoesNotMatch"}}),
    (403, {"Error": {"Code": "InvalidClientTokenId"}}),
    (400, {"Error": {"Code": "Throttling"}}),
    (400, {"Error": {"Code": "SomethingNew"}}),
    (503, "away"),
)
_TOKENS = [case for case in forge.cases("tokens") if not case.get("granted")]


@dataclass(frozen=True)
class Case:
    """A caller: with a token if there is one, and as STS has proven them if not."""

    identity: CallerIdentity
    token: str
    sts_answer: tuple[int, object] | None

    async def fetch(
        self, host: str, target: str, headers: Mapping[str, str], timeout: float
    ) -> tuple[int, bytes]:
        """Answer in STS's place."""
        if self.sts_answer is None:
            raise StsUnavailable(f"{host} cannot be reached")
        status, content = self.sts_answer
        return status, json.dumps(content).encode()


def in_force(random: Random) -> InForce:
    """Two sources and a break-glass file, with administrators and accounts now and then."""
    chain = [_source(random, name) for name in ("EKSConfigMap", "CRD")]
    creators = [f"arn:aws:iam::{ACCOUNTS[0]}:role/Ops"] if random.random() < 0.2 else []
    store = MappingStore(
        chain,
        administrators=[administrator(arn, Origin("config", "admins")) for arn in creators],
        break_glass=_source(random, "BreakGlass"),
    )
    store.start()
    return InForce(store.current(), store.status())


def case(random: Random) -> Case:
    """A caller; every fifth comes with a token, which may be as bad as tokens get."""
    identity = _identity(random)
    if random.random() < 0.8:
        return Case(identity, "", None)
    change: dict[str, Any] = {"age_seconds": random.choice((0, 60, 850, 950))}
    if random.random() < 0.3:
        change = random.choice(_TOKENS)
    signer = replace(forge.Signer(), access_key_id=identity.access_key_id)
    return Case(identity, forge.token(change, signer, now=NOW), _sts_answer(random, identity))


async def name_instance(identity: CallerIdentity) -> str:
    """EC2, with one instance of which it knows nothing yet."""
    if not identity.arn.session.startswith("i-"):
        raise UnknownUser("the session name is no instance id, so this is no node")
    if identity.arn.session == "i-00000000":
        raise NamesUnavailable("the instance has no private DNS name yet")
    return "ip-10-0-0-1.ec2.internal"


def _source(random: Random, name: str) -> Still:
    reader = SectionReader(name, random.choice(_GUARDS))
    data = {
        "mapRoles": [_entry(random, "rolearn", _role_arn) for _ in range(random.randint(0, 6))],
        "mapUsers": [_entry(random, "userarn", _user_arn) for _ in range(random.randint(0, 3))],
        "mapAccounts": [_account(random)] if random.random() < 0.15 else [],
    }
    sections = read_data({key: json.dumps(value) for key, value in data.items()}, reader)
    return Still(SourceState(name, sections, synced=True))


def _entry(random: Random, key: str, arn: Callable[[Random], str]) -> dict[str, Any]:
    entry: dict[str, Any] = {key: arn(random), "username": random.choice(_USERNAMES)}
    if key == "rolearn" and random.random() < 0.15:
        del entry[key]
        entry["sso"] = {"permissionSetName": "Admin", "accountID": _account(random)}
    entry["groups"] = random.choice(_GROUPS)
    further = {"userid": random.choice(_PINS), "expires": random.choice(_ENDS)}
    return entry | {name: value for name, value in further.items() if value}


def _account(random: Random) -> str:
    return random.choices(ACCOUNTS, weights=(6, 1, 1))[0]


def _role_arn(random: Random) -> str:
    name = random.choice(_NAMES if random.random() < 0.7 else _PATTERNS)
    return f"arn:aws:iam::{_account(random)}:role/{name}"


def _user_arn(random: Random) -> str:
    kind = random.choice(("iam::{}:user/", "iam::{}:user/", "sts::{}:federated-user/"))
    name = random.choice(_USERS).rpartition("/")[2] if "sts" in kind else random.choice(_USERS)
    return f"arn:aws:{kind.format(_account(random))}{name}"


def _identity(random: Random) -> CallerIdentity:
    account = _account(random)
    kind = random.random()
    if kind < 0.7:
        resource = f"assumed-role/{random.choice(_NAMES)}/{random.choice(_SESSIONS)}"
        arn = f"arn:aws:sts::{account}:{resource}"
    elif kind < 0.95:
        arn = _user_arn(random)
    else:
        arn = f"arn:aws:iam::{account}:root"
    made = caller(arn)
    if random.random() < 0.1 and made.user_id.startswith("AROA"):
        made = caller(arn, f"AROARECREATED00000000:{made.arn.session}")
    return replace(made, access_key_id=f"ASIA{random.randrange(10**15):016}")


def _sts_answer(random: Random, identity: CallerIdentity) -> tuple[int, object] | None:
    if random.random() < 0.3:
        return random.choice((*_STS_FAULTS, None))
    result = {
        "Account": identity.arn.account_id,
        "Arn": str(identity.arn),
        "UserId": identity.user_id,
    }
    return 200, {"GetCallerIdentityResponse": {"GetCallerIdentityResult": result}}
