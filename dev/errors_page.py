"""Makes the tables of docs/errors.md that are made of code: `python -m dev.errors_page`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from authenticator import errors
from authenticator.aws.sts import REFUSALS
from authenticator.tokens import jwt, presigned
from dev import exit_codes

PAGE = Path(__file__).parent.parent / "docs" / "errors.md"

_ANSWERS = """\
| HTTP | `result` | means | the API server | do |
|---|---|---|---|---|
"""
_WANTED = """\
| check | wants | if it fails |
|---|---|---|
"""
_SAID = """\
| STS's code | the line says |
|---|---|
"""
_MADE = re.compile(
    r"(?P<head><!-- made by dev\.errors_page: (?P<name>.+?) -->\n)"
    r".*?(?=<!-- made by hand again -->)",
    re.DOTALL,
)

# Each kind of error, with what it means and the remedy; the rest is in the class.
_KINDS: tuple[tuple[type[errors.AuthenticatorError], str, str], ...] = (
    (
        errors.TokenRefused,
        "the token's text fails a check",
        "the `check` of the line, in [the next section](#checks-of-a-token)",
    ),
    (
        errors.NotProven,
        "STS refuses the signature",
        "[what STS says](#what-sts-says)",
    ),
    (
        errors.UnknownKey,
        "a JWT names a key that its issuer has not published so far",
        "nothing, if it passes within a minute ([keys](web-identity.md#keys))",
    ),
    (
        errors.UnknownUser,
        "STS has proven the caller, and no mapping lets them in",
        "[no mapping](#no-mapping)",
    ),
    (
        errors.MalformedRequest,
        "what was posted is no TokenReview",
        "see who posts it: `remote` of the line",
    ),
    (
        errors.StsUnavailable,
        "STS does not answer in time, or not as STS does",
        "[when STS is away](sts.md#when-sts-is-away)",
    ),
    (
        errors.StsRefusedOddly,
        "STS answers about this token alone, neither yes nor no",
        "the status in the line: 413, 414 or 431 are for a token that is too long",
    ),
    (
        errors.StsThrottled,
        "STS's quota is used up",
        "[when an alarm rings](sts.md#when-an-alarm-rings)",
    ),
    (
        errors.NamesUnavailable,
        "EC2 cannot be asked for a node's name",
        "the server's rights and Region for EC2 ([nodes](mappings.md#nodes))",
    ),
    (
        errors.KeysUnavailable,
        "no keys are known of a JWT's issuer, or only old ones",
        "`webIdentity` in `/readyz` says why they cannot be fetched ([keys](web-identity.md#keys))",
    ),
    (
        errors.Overloaded,
        "the budget of STS calls is used up, or too many reviews wait",
        "[the budget](sts.md#the-budget)",
    ),
    (
        errors.InternalFault,
        "a fault of ours",
        "report it, with the lines of the log around it",
    ),
)

# What each check of a token wants, and the remedy if it fails.
_FORGED = "made by hand or damaged; have the client make it"
_CHECKS = {
    "prefix": (
        "it begins with `k8s-aws-v1.`",
        "nothing: tokens of ServiceAccounts or OIDC that are refused elsewhere come here too",
    ),
    "size": ("16 KiB at most", _FORGED),
    "base64": ("unpadded base64url, nothing cut off", "see that it was copied whole"),
    "url": ("`https://HOST/?QUERY`, and nothing else", _FORGED),
    "host": (
        "an STS host of the server's partition",
        "the client's region; `partition` and `stsHosts` of the server ([settings](settings.md))",
    ),
    "parameters": ("the nine known parameters, each once", _FORGED),
    "escapes": ("percent-encoding as signers write it", _FORGED),
    "action": ("`GetCallerIdentity`", _FORGED),
    "version": ("`2011-06-15`", _FORGED),
    "algorithm": (
        "`AWS4-HMAC-SHA256`",
        "sign with SigV4; asymmetric signatures (SigV4a) are not taken",
    ),
    "credential": ("`KEY/DAY/REGION/sts/aws4_request`", _FORGED),
    "date": ("a date of the form `YYYYMMDDTHHMMSSZ`", _FORGED),
    "expires": ("0 to 900 seconds", "a client that asks for more: update it"),
    "security-token": ("base64 characters", _FORGED),
    "signed-headers": (
        "`host;x-k8s-aws-id`",
        "a token of a client that does not sign the cluster id: update it",
    ),
    "signature": ("64 hexadecimal digits", _FORGED),
    "scope": ("the host's region, and the day of the date", _FORGED),
    "date-exists": ("a date that exists", _FORGED),
    "not-yet": ("no more than 5 minutes ahead", "set the clocks of both machines"),
    "expired": (
        "not older than 15 minutes",
        "have a new one made (kubectl does so by itself); set the clocks of both machines",
    ),
}

# The same for a JWT.
_NOT_AWS = "not a token of `token --jwt`; [have one made](client.md)"
_JWT_CHECKS = {
    "size": ("16 KiB at most", _NOT_AWS),
    "segments": ("three segments", "see that it was copied whole"),
    "base64": ("unpadded base64url, nothing cut off", "see that it was copied whole"),
    "json": ("JSON objects with unique keys, at most 8 levels deep", _NOT_AWS),
    "header": ("`alg`, `kid` and `typ`, and nothing else", _NOT_AWS),
    "type": ("`JWT`", _NOT_AWS),
    "algorithm": ("one of `webIdentity.algorithms`", "ask for RS256, or allow ES384"),
    "key-id": ("letters, digits, `-` or `_`", _NOT_AWS),
    "issuer": (
        "one of `webIdentity.issuers`, to the letter",
        "nothing, for tokens of ServiceAccounts or OIDC; else [configure it](web-identity.md)",
    ),
    "audience": ("this cluster's, and no other", "compare the cluster ids of both sides"),
    "times": ("`exp` and `iat` as whole numbers", _NOT_AWS),
    "expired": ("before `exp`", "have a new one made (kubectl does so by itself)"),
    "lifetime": ("an hour at most", _NOT_AWS),
    "not-yet": ("`iat` no more than a minute ahead", "set this machine's clock"),
    "age": ("not older than `webIdentity.maxAgeSeconds`", "ask for a shorter lifetime"),
    "not-before": ("`nbf` no more than a minute ahead", "set this machine's clock"),
    "aws-claims": ("AWS's own claims", _NOT_AWS),
    "account": ("the account that the issuer is configured for", "`accountID` of the issuer"),
    "subject": ("a role or user of this partition", "root and federated users have no JWT"),
    "subject-account": ("a subject of the issuer's account", _NOT_AWS),
    "principal-account": ("a principal of the issuer's account", _NOT_AWS),
    "subject-mode": ("an AWS principal as the subject", "ask without `SubjectMode`"),
    "signature-algorithm": ("the algorithm of the key", _NOT_AWS),
    "signature": ("a signature of the key", "damaged, or forged"),
}


def page() -> str:
    """The page as it should be: its tables as the code has them, and all else as it is."""
    tables = {
        "answers": _ANSWERS + "".join(map(_row, _kinds())),
        "checks": _checks(presigned.CHECKS, _CHECKS),
        "checks of a JWT": _checks(jwt.CHECKS, _JWT_CHECKS),
        "refusals": _SAID + "".join(_row((f"`{code}`", why)) for code, why in REFUSALS.items()),
        "exit codes": exit_codes.table(),
    }
    text, number = _MADE.subn(
        lambda found: found["head"] + tables.pop(found["name"]), PAGE.read_text()
    )
    assert not tables, f"the page has {number} tables, and no place for {', '.join(tables)}"
    return text


def _checks(names: Iterable[str], told: Mapping[str, tuple[str, str]]) -> str:
    return _WANTED + "".join(_row((f"`{name}`", *told[name])) for name in names)


def _kinds() -> Iterable[tuple[str, ...]]:
    """A row for each kind of error, by what the API server makes of its class."""
    for kind, meaning, remedy in _KINDS:
        status, treated = _answer(kind)
        yield (status, f"`{kind.result}`", meaning, treated, remedy)


def _answer(kind: type[errors.AuthenticatorError]) -> tuple[str, str]:
    if issubclass(kind, errors.Unavailable):
        return str(kind.status), "asks again within seconds, and remembers nothing"
    if issubclass(kind, errors.MalformedRequest):
        return "4xx", "(it was not the API server)"
    if issubclass(kind, errors.UnknownKey):
        return "200, with `status.error`", "answers 401, and remembers nothing"
    return "200, `authenticated: false`", "answers 401, and remembers it for this token"


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |\n"


if __name__ == "__main__":
    PAGE.write_text(page())
