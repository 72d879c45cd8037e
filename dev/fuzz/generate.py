"""Makes inputs that get far: the corpus as seeds, and tokens that are nearly right."""

from __future__ import annotations

import base64
import contextlib
import json
from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING

from hypothesis import strategies as st

from dev.fuzz.targets import NOW, RAW, WRAPPED
from tests.corpus import forge, jwts

if TYPE_CHECKING:
    from collections.abc import Iterator

_PREFIX = "k8s-aws-v1."
# How likely each part of a token is odd.
_RARELY = 0.02
_STS_ERRORS = ("SignatureDoesNotMatch", "Throttling", "ExpiredToken", "Unknown")
_STS_ARNS = {
    "arn:aws:iam::111122223333:user/team/alice": "AIDAEXAMPLEEXAMPLE000",
    "arn:aws:sts::111122223333:assumed-role/Admin/bob": "AROAEXAMPLEEXAMPLE000:bob",
    "arn:aws:sts::111122223333:federated-user/bob": "111122223333:bob",
    "arn:aws:iam::111122223333:root": "111122223333",
}


def seeds(target: str) -> Iterator[bytes]:
    """Inputs to begin with."""
    if target in _SEEDS:
        yield from _SEEDS[target]()
        return
    for case in forge.cases("tokens"):
        text = forge.token(case, now=NOW)
        yield (
            RAW + text.encode("utf-8", "replace") if target == "token" else WRAPPED + text.encode()
        )
        if target == "token" and text.startswith(_PREFIX):
            encoded = text.removeprefix(_PREFIX)
            with contextlib.suppress(ValueError):
                yield WRAPPED + base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))
    if target == "review":
        yield from (RAW + forge.body(case) for case in forge.cases("requests"))


def _sts_answers() -> Iterator[bytes]:
    for arn, user_id in _STS_ARNS.items():
        result = {"Account": "111122223333", "Arn": arn, "UserId": user_id}
        document = {"GetCallerIdentityResponse": {"GetCallerIdentityResult": result}}
        yield RAW + b"\x00" + json.dumps(document).encode()
    for code in _STS_ERRORS:
        error = {"Error": {"Code": code, "Message": "m"}}
        yield (403).to_bytes(2, "big") + json.dumps(error).encode()


def _jwts() -> Iterator[bytes]:
    for case in forge.cases("jwts"):
        yield RAW + jwts.token(case, now=NOW).encode("utf-8", "replace")
    yield WRAPPED + json.dumps(jwts.claims(now=NOW)).encode()


def _key_sets() -> Iterator[bytes]:
    document = jwts.own_keys().jwks()
    keys = document["keys"]
    for chosen in ([], keys, [*keys, *keys], keys[:1], keys[1:], [{"kty": "oct", "k": "AAAA"}]):
        yield json.dumps({"keys": chosen}).encode()


def _edits() -> Iterator[bytes]:
    for text in _MAPPINGS:
        yield WRAPPED + text.encode()
    yield RAW + b'{"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1"}'


def _files() -> Iterator[bytes]:
    for text in _MAPPINGS:
        section = "\n".join(f"  {line}" for line in text.split("\n"))
        yield f"mapRoles:\n{section}\n".encode()
        yield text.encode()
    yield b"server:\n  stsRegions: [eu-west-1, nowhere]\n  mapAccounts: ['111122223333']\n"


def _names() -> Iterator[bytes]:
    for name in _NAMES:
        yield name.encode()


_MAPPINGS = (
    *(
        "",
        "null",
        "~",
        "[]",
        "{}",
        "- ",
        "---\n[]\n---\n- {}",
        "[null]",
        "&a [*a]",
        "!!seq []",
        "|",
    ),
    "- rolearn: arn:aws:iam::111122223333:role/A\n  username: '{{SessionName}}'\n  groups: [a]",
    '- rolearn: arn:aws:iam::111122223333:role/A\n  username: "a\\x1b[2J\\u3164"\n',
    "[{rolearn: 'arn:aws:iam::111122223333:role/*', groups: [System:masters]}] # all",
    "- sso: {permissionSetName: A, accountID: '111122223333'}\n  username: a",
    "- userarn: arn:aws:sts::111122223333:federated-user/a\n  groups: [system:masters]",
)
_NAMES = (
    *("system:masters", "System:masters", "system:rnasters", "system:m\u0430sters", "admins"),
    *("admins\u3164", "a\u200bb", "\u0441\u043e\u0440\u0441", "\x1b[2J", "\u202egnp", " a", ""),
)
_SEEDS: dict[str, Callable[[], Iterator[bytes]]] = {
    "sts": _sts_answers,
    "web_identity": _jwts,
    "key_set": _key_sets,
    "admission": _edits,
    "mappings": _files,
    "names": _names,
}
_ODD = (
    *("", "x", "%", "%00", "%0d%0a", "%2541", "60%gh", "+60", "6_0", ";", "&", "=", "#", "?", "@"),
    *("//", "/%2e", "\x00", "\n", "\uff16", "\u0430", "\ud800", "AKIA", "sts", "901", "-1"),
)
_HOSTS = (
    *("sts.us-west-2.amazonaws.com", "sts-fips.us-west-2.amazonaws.com", "sts.us-west-2.api.aws"),
    "sts.amazonaws.com",
)
_KEY_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"


def _credential(random: Random) -> str:
    key = "AKIA" + "".join(
        random.choices(_KEY_LETTERS, k=random.choice((*(16,) * 9, 11, 124, 125)))
    )
    day = random.choice((*("20260921",) * 9, "20260920"))
    region = random.choice((*("us-west-2",) * 6, "us-east-1", "cn-north-1"))
    return f"{key}%2F{day}%2F{region}%2Fsts%2Faws4_request"


_VALUES: dict[str, Callable[[Random], str]] = {
    "Action": lambda _: "GetCallerIdentity",
    "Version": lambda _: "2011-06-15",
    "X-Amz-Algorithm": lambda _: "AWS4-HMAC-SHA256",
    "X-Amz-Credential": _credential,
    "X-Amz-Date": lambda random: (
        f"20260921T14{random.randint(5, 25):02}{random.randint(0, 60):02}Z"
    ),
    "X-Amz-Expires": lambda random: str(random.randint(0, 905)),
    "X-Amz-Security-Token": lambda random: (
        "%2B" * random.randint(1, 9) + "A" * random.randint(0, 9)
    ),
    "X-Amz-SignedHeaders": lambda _: "host%3Bx-k8s-aws-id",
    "X-Amz-Signature": lambda random: f"{random.getrandbits(256):064x}",
}


def token(seed: int) -> str:
    """A token in which anything may be wrong, and most is not; the same for the same seed."""
    random = Random(seed)

    def rarely(usual: str) -> str:
        if random.random() > _RARELY:
            return usual
        at = random.randint(0, len(usual))
        odd = random.choice(_ODD)
        return random.choice((odd, usual[:at] + odd + usual[at:], usual[:at], usual.swapcase()))

    names = [*_VALUES]
    if random.random() < _RARELY * 2:
        names += random.choices((*names, *_ODD), k=random.randint(1, 2))
    if random.random() < _RARELY * 2:
        random.shuffle(names)
        del names[: random.randint(0, 2)]
    pairs = (f"{rarely(name)}={rarely(_value(name, random))}" for name in names)
    url = f"{rarely('https')}://{rarely(random.choice(_HOSTS))}{rarely('/')}?{'&'.join(pairs)}"
    encoded = base64.urlsafe_b64encode(url.encode("utf-8", "surrogatepass")).decode().rstrip("=")
    return rarely(_PREFIX) + rarely(encoded)


def _value(name: str, random: Random) -> str:
    return _VALUES[name](random) if name in _VALUES else random.choice(_ODD)


# Hypothesis draws one number for many tokens: drawing each part of each would make a hundred a
# second.
AT_ONCE = 20
tokens = st.integers(0, 2**64).map(lambda seed: [token(seed + more) for more in range(AT_ONCE)])
