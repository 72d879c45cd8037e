"""What only the config file can hold: viper's loose forms, and settings that shape answers."""

from __future__ import annotations

from textwrap import indent

from tests.oracle.cases import Case, Step, config, full

_ADMIN = 'mapRoles:\n- {rolearn: "@role/admin", username: admin, groups: [a]}\n'
_ROLE = 'mapRoles:\n- rolearn: "@role/admin"\n  username: admin\n'

# By theme and name: what stands under `server`.
_SERVERS: dict[str, dict[str, str]] = {
    "loose form": {
        "groups as a text": f"{_ROLE}  groups: a\n",
        "groups as a text with commas": f"{_ROLE}  groups: a,b\n",
        "groups as a text with commas and blanks": f'{_ROLE}  groups: "a, b"\n',
        "groups as an empty text": f'{_ROLE}  groups: ""\n',
        "groups as a number": f"{_ROLE}  groups: 7\n",
        "groups as a boolean": f"{_ROLE}  groups: true\n",
        "groups as a map": f"{_ROLE}  groups: {{a: b}}\n",
        "a group with a comma": f'{_ROLE}  groups: ["a,b"]\n',
        "a group that is a number": f"{_ROLE}  groups: [a, 7]\n",
        "a group that is a boolean": f"{_ROLE}  groups: [a, true]\n",
        "a group that is null": f"{_ROLE}  groups: [a, null]\n",
        "username a number": 'mapRoles:\n- {rolearn: "@role/admin", username: 1234, groups: [a]}\n',
        "username true": 'mapRoles:\n- {rolearn: "@role/admin", username: true, groups: [a]}\n',
        "username yes": 'mapRoles:\n- {rolearn: "@role/admin", username: yes, groups: [a]}\n',
        "username a float": 'mapRoles:\n- {rolearn: "@role/admin", username: 1.50, groups: [a]}\n',
        "username null": 'mapRoles:\n- {rolearn: "@role/admin", username: null, groups: [a]}\n',
        "username a list": 'mapRoles:\n- {rolearn: "@role/admin", username: [a], groups: [a]}\n',
        "roles as one map": 'mapRoles: {rolearn: "@role/admin", username: admin, groups: [a]}\n',
        "users as one map": 'mapUsers: {userarn: "@user/alice", username: alice, groups: [a]}\n',
        "roles as a text": "mapRoles: none\n",
        "roles as an empty text": 'mapRoles: ""\n',
        "roles as null": "mapRoles:\n",
        "roles as an empty map": "mapRoles: {}\n",
        "roles as an empty list": "mapRoles: []\n",
        "a role as a text": "mapRoles: [none]\n",
        "a role as null": f"{_ADMIN}-\n",
        "accounts as a text": 'mapAccounts: "444455556666"\n',
        "accounts as a text with commas": 'mapAccounts: "444455556666,012345678901"\n',
        "accounts as a text with commas and blanks": 'mapAccounts: "444455556666, 012345678901"\n',
        "accounts as a number": "mapAccounts: 444455556666\n",
        "accounts as numbers": "mapAccounts: [444455556666, 111122223333]\n",
        "an account that begins with zero, as a number": "mapAccounts: [012345678901]\n",
        "an account of octal digits, as a number": "mapAccounts: [011122223333]\n",
        "accounts as a map": "mapAccounts: {a: b}\n",
        "accounts as null": "mapAccounts:\n",
        "accounts as an empty text": 'mapAccounts: ""\n',
        "userid a number": f"{_ROLE}  userid: 7\n",
        "sso with a number": """\
mapRoles:
- sso: {permissionSetName: Developer, accountID: 111122223333}
  username: s
  groups: [a]
""",
        "sso as a list": """\
mapRoles:
- sso: [{permissionSetName: Developer, accountID: "111122223333"}]
  username: s
  groups: [a]
""",
    },
    "key": {
        "sections in lower case": _ADMIN.replace("mapRoles", "maproles"),
        "sections in upper case": _ADMIN.replace("mapRoles", "MAPROLES"),
        "entries in upper case": 'mapRoles:\n- {ROLEARN: "@role/admin", USERNAME: a}\n',
        "section twice in two cases": _ADMIN + _ADMIN.replace("mapRoles", "maproles"),
        "section twice": _ADMIN + _ADMIN,
        "of an entry twice": 'mapRoles:\n- {rolearn: "@role/admin", username: a, username: b}\n',
        "of an entry twice in two cases": """\
mapRoles:
- {rolearn: "@role/admin", username: a, Username: b}
""",
        "with a dot": 'mapRoles:\n- {rolearn: "@role/admin", username: a, "x.y": 1}\n',
        "with an underscore": 'mapRoles:\n- {role_arn: "@role/admin", username: a}\n',
        "unknown": _ADMIN + "nothing: known\n",
    },
    "setting": {
        "scrubbed": _ADMIN + 'scrubbedAccounts: ["111122223333"]\n',
        "scrubbed, another account": _ADMIN + 'scrubbedAccounts: ["444455556666"]\n',
        "scrubbed, as a number": _ADMIN + "scrubbedAccounts: [111122223333]\n",
        "scrubbed, as a text": _ADMIN + 'scrubbedAccounts: "111122223333"\n',
        "reserved": _ADMIN
        + """\
reservedPrefixConfig:
- {backendmode: MountedFile, usernamePrefixReserveList: ["adm"]}
""",
        "reserved for another source": _ADMIN
        + """\
reservedPrefixConfig:
- {backendmode: EKSConfigMap, usernamePrefixReserveList: ["adm"]}
""",
        "reserved, empty": _ADMIN
        + """\
reservedPrefixConfig:
- {backendmode: MountedFile, usernamePrefixReserveList: [""]}
""",
        "reserved, in another case": _ADMIN
        + """\
reservedPrefixConfig:
- {backendmode: MountedFile, usernamePrefixReserveList: ["ADM"]}
""",
        "reserved, rendered": """\
mapRoles:
- {rolearn: "@role/admin", username: "{{SessionName}}", groups: [a]}
reservedPrefixConfig:
- {backendmode: MountedFile, usernamePrefixReserveList: ["s1"]}
""",
        "reserved, a later entry": """\
mapRoles:
- {rolearn: "@role/admin", username: "good", groups: [a]}
- {rolearn: "@role/admin", username: "bad", groups: [a]}
reservedPrefixConfig:
- {backendmode: MountedFile, usernamePrefixReserveList: ["bad"]}
""",
        "reserved, and the account": """\
mapRoles:
- {rolearn: "@role/admin", username: "bad", groups: [a]}
mapAccounts: ["111122223333"]
reservedPrefixConfig:
- {backendmode: MountedFile, usernamePrefixReserveList: ["bad"]}
""",
        "reserved, and the account alone": """\
mapAccounts: ["111122223333"]
reservedPrefixConfig:
- {backendmode: MountedFile, usernamePrefixReserveList: ["arn:"]}
""",
    },
}

# By name: the whole file.
_FILES = {
    "trailing dashes": f"clusterID: oracle\nserver:\n{indent(_ADMIN, '  ')}---\n",
    "two documents": f"clusterID: oracle\nserver:\n{indent(_ADMIN, '  ')}---\nserver: {{}}\n",
    "leading dashes": f"---\nclusterID: oracle\nserver:\n{indent(_ADMIN, '  ')}",
    "a comment first": f"# config\nclusterID: oracle\nserver:\n{indent(_ADMIN, '  ')}",
    "server in upper case": f"clusterID: oracle\nSERVER:\n{indent(_ADMIN, '  ')}",
    "keys with dots": "clusterID: oracle\nserver.mapRoles: []\n",
    "sections outside of server": f"clusterID: oracle\n{_ADMIN}",
    "no server": "clusterID: oracle\n",
    "server null": "clusterID: oracle\nserver:\n",
    "an anchor": """\
clusterID: oracle
all: &all [a, b]
server:
  mapRoles:
  - {rolearn: "@role/admin", username: admin, groups: *all}
""",
    "a merge": """\
clusterID: oracle
base: &base {username: admin, groups: [a]}
server:
  mapRoles:
  - {<<: *base, rolearn: "@role/admin"}
""",
    "in JSON": """\
{"clusterID": "oracle",
 "server": {"mapRoles": [{"rolearn": "@role/admin", "username": "admin", "groups": ["a"]}]}}
""",
}


def _case(theme: str, name: str, step: Step) -> Case:
    return Case(
        f"{theme} (config file)",
        name,
        (step,),
        ("MountedFile",),
    )


CASES = (
    *(
        _case(theme, name, config(server))
        for theme, servers in _SERVERS.items()
        for name, server in servers.items()
    ),
    *(_case("whole file", name, Step(config=full(text).encode())) for name, text in _FILES.items()),
)
