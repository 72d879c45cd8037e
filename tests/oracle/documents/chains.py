"""Several sources in a chain."""

from __future__ import annotations

from dataclasses import replace

from tests.oracle.cases import Case, Step, aws_auth, config, dynamic, objects

_FILE, _AUTH, _CRD, _DYNAMIC = "MountedFile", "EKSConfigMap", "CRD", "DynamicFile"


def _entry(name: str, username: str, group: str = "g") -> str:
    return f'- {{rolearn: "{name}", username: {username}, groups: ["{group}"]}}\n'


def _both(*steps: Step) -> Step:
    """One step that holds what each of these holds."""
    joined = Step()
    for step in steps:
        joined = replace(
            joined,
            config=step.config or joined.config,
            aws_auth=joined.aws_auth if step.aws_auth is None else step.aws_auth,
            objects={**joined.objects, **step.objects},
            dynamic=step.dynamic or joined.dynamic,
        )
    return joined


_ROLE = "@role/admin"
_SSO = (
    '- {sso: {permissionSetName: Developer, accountID: "111122223333"}, username: s, groups: [s]}\n'
)
_SSO_ROLE = "@role/AWSReservedSSO_Developer_0123456789abcdef"
_IN_FILE = config("mapRoles:\n" + _entry(_ROLE, "of-file"))
_IN_AUTH = aws_auth(mapRoles=_entry(_ROLE, "of-auth"))
_IN_CRD = objects(one={"arn": _ROLE, "username": "of-crd", "groups": ["g"]})
_IN_DYNAMIC = dynamic({"mapRoles": [{"rolearn": _ROLE, "username": "of-dynamic", "groups": ["g"]}]})
_ALL = _both(_IN_FILE, _IN_AUTH, _IN_CRD, _IN_DYNAMIC)

# By name: the modes and the documents.
_CHAINS: dict[str, tuple[tuple[str, ...], Step]] = {
    "file before aws-auth": ((_FILE, _AUTH), _ALL),
    "aws-auth before file": ((_AUTH, _FILE), _ALL),
    "custom resources first": ((_CRD, _AUTH, _FILE), _ALL),
    "dynamic file first": ((_DYNAMIC, _CRD, _AUTH, _FILE), _ALL),
    "dynamic file last": ((_FILE, _AUTH, _CRD, _DYNAMIC), _ALL),
    "the first has no entry": ((_AUTH, _FILE), _IN_FILE),
    "the first is empty": ((_AUTH, _CRD, _FILE), _both(aws_auth(mapRoles='""'), _IN_FILE)),
    "the first is broken": ((_AUTH, _FILE), _both(aws_auth(mapRoles="- {"), _IN_FILE)),
    "the first lists the account": (
        (_FILE, _AUTH),
        _both(
            config('mapAccounts: ["111122223333"]'),
            aws_auth(mapRoles=_entry(_ROLE, "x", "system:masters")),
        ),
    ),
    "the second lists the account": (
        (_FILE, _AUTH),
        _both(_IN_FILE, aws_auth(mapAccounts='- "111122223333"')),
    ),
    "both list accounts": (
        (_FILE, _AUTH),
        _both(config('mapAccounts: ["444455556666"]'), aws_auth(mapAccounts='- "012345678901"')),
    ),
    "the first lists the account, the third maps the role": (
        (_DYNAMIC, _AUTH, _CRD),
        _both(
            dynamic({"mapAccounts": ["111122223333"]}),
            aws_auth(mapRoles=_entry("@role/Dev", "dev")),
            _IN_CRD,
        ),
    ),
    "accounts in the middle": (
        (_CRD, _AUTH, _FILE),
        _both(
            objects(one={"arn": "@role/Dev", "username": "dev", "groups": ["g"]}),
            aws_auth(mapAccounts='- "111122223333"'),
            config("mapRoles:\n" + _entry(_ROLE, "x", "system:masters")),
        ),
    ),
    "a permission set before its role": (
        (_FILE, _AUTH),
        _both(config("mapRoles:\n" + _SSO), aws_auth(mapRoles=_entry(_SSO_ROLE, "exact"))),
    ),
    "a role before its permission set": (
        (_FILE, _AUTH),
        _both(config("mapRoles:\n" + _entry(_SSO_ROLE, "exact")), aws_auth(mapRoles=_SSO)),
    ),
    "a path before the role": (
        (_FILE, _AUTH),
        _both(
            config("mapRoles:\n" + _entry("@role/team/admin", "old", "system:masters")), _IN_AUTH
        ),
    ),
    "a wildcard before the role": (
        (_FILE, _AUTH),
        _both(config("mapRoles:\n" + _entry("@role/adm*", "wide", "system:masters")), _IN_AUTH),
    ),
    "a reserved name in the first": (
        (_FILE, _AUTH),
        _both(
            config(
                "mapRoles:\n"
                + _entry(_ROLE, "bad")
                + "reservedPrefixConfig:\n"
                + "- {backendmode: MountedFile, usernamePrefixReserveList: [bad]}\n"
            ),
            _IN_AUTH,
        ),
    ),
    "a reserved name in the second": (
        (_FILE, _AUTH),
        _both(
            config(
                "reservedPrefixConfig:\n"
                "- {backendmode: EKSConfigMap, usernamePrefixReserveList: [of-auth]}\n"
            ),
            _IN_AUTH,
        ),
    ),
    "the instance's name in the first": (
        (_FILE, _AUTH),
        _both(
            config('mapRoles:\n- {rolearn: "@role/node", username: "{{EC2PrivateDNSName}}"}\n'),
            aws_auth(mapRoles=_entry("@role/node", "of-auth")),
        ),
    ),
    "users in one, roles in the other": (
        (_AUTH, _FILE),
        _both(
            aws_auth(mapUsers='- {userarn: "@user/alice", username: alice}\n'),
            _IN_FILE,
        ),
    ),
    "the same user in both, in two cases": (
        (_AUTH, _FILE),
        _both(
            aws_auth(mapUsers='- {userarn: "@user/bob", username: of-auth}\n'),
            config('mapUsers:\n- {userarn: "@user/BOB", username: of-file}\n'),
        ),
    ),
    "old names of the sources": (("File", "ConfigMap"), _both(_IN_FILE, _IN_AUTH)),
}


CASES = (
    *(Case("chain", name, (step,), modes) for name, (modes, step) in _CHAINS.items()),
    Case(
        "chain",
        "a strict dynamic file that knows another ARN",
        (
            _both(
                dynamic(
                    {
                        "mapRoles": [
                            {
                                "rolearn": "@role/x",
                                "username": "x",
                                "userid": "AROA1ADMIN0000000000",
                            }
                        ]
                    }
                ),
                _IN_AUTH,
            ),
        ),
        (_DYNAMIC, _AUTH),
        strict=True,
    ),
)
