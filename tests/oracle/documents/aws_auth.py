"""What only a ConfigMap can hold: texts of YAML, under keys that count to the letter."""

from __future__ import annotations

from tests.oracle.cases import Case, Step, aws_auth

_ADMIN = '- {rolearn: "@role/admin", username: admin, groups: [a]}\n'
_ALICE = '- {userarn: "@user/alice", username: alice, groups: [b]}\n'
_GUESTS = '- "444455556666"\n'

# By theme and name: the data of aws-auth.
_DOCUMENTS: dict[str, dict[str, dict[str, str]]] = {
    "empty section": {
        "of no text": {"mapRoles": "", "mapUsers": _ALICE},
        "of blanks": {"mapRoles": "  \n ", "mapUsers": _ALICE},
        "of two double quotes": {"mapRoles": '""', "mapUsers": _ALICE},
        "of two single quotes": {"mapRoles": "''", "mapUsers": _ALICE},
        "of two back quotes": {"mapRoles": "``", "mapUsers": _ALICE},
        "of two double quotes and a line break": {"mapRoles": '""\n', "mapUsers": _ALICE},
        "of null": {"mapRoles": "null", "mapUsers": _ALICE},
        "of a tilde": {"mapRoles": "~", "mapUsers": _ALICE},
        "of an empty list": {"mapRoles": "[]", "mapUsers": _ALICE},
        "of an empty list and a line break": {"mapRoles": "[]\n", "mapUsers": _ALICE},
        "of an empty map": {"mapRoles": "{}", "mapUsers": _ALICE},
        "of a comment": {"mapRoles": "# none\n", "mapUsers": _ALICE},
        "of dashes": {"mapRoles": "---\n", "mapUsers": _ALICE},
        "of three dots": {"mapRoles": "---\n...\n", "mapUsers": _ALICE},
        "users of two quotes": {"mapUsers": '""', "mapRoles": _ADMIN},
        "users of null": {"mapUsers": "null\n", "mapRoles": _ADMIN},
        "users of no text": {"mapUsers": "", "mapRoles": _ADMIN},
        "users of an empty map": {"mapUsers": "{}", "mapRoles": _ADMIN},
        "accounts of two quotes": {"mapAccounts": '""', "mapRoles": _ADMIN},
        "accounts of an empty list": {"mapAccounts": "[]\n", "mapRoles": _ADMIN},
        "accounts of null": {"mapAccounts": "null", "mapRoles": _ADMIN},
        "all missing": {},
        "all of no text": {"mapRoles": "", "mapUsers": "", "mapAccounts": ""},
        "a null item": {"mapRoles": f"-\n{_ADMIN}"},
        "a null item at the end": {"mapRoles": f"{_ADMIN}-\n"},
    },
    "broken section": {
        "not closed": {"mapRoles": "- {rolearn: [", "mapUsers": _ALICE},
        "a tab": {"mapRoles": f"\t{_ADMIN}", "mapUsers": _ALICE},
        "a word": {"mapRoles": "none", "mapUsers": _ALICE},
        "a number": {"mapRoles": "0", "mapUsers": _ALICE},
        "true": {"mapRoles": "true", "mapUsers": _ALICE},
        "one entry without a list": {
            "mapRoles": '{rolearn: "@role/admin", username: admin}\n',
            "mapUsers": _ALICE,
        },
        "a list of words": {"mapRoles": "- one\n- two\n", "mapUsers": _ALICE},
        "a word in a list of entries": {"mapRoles": f"- one\n{_ADMIN}", "mapUsers": _ALICE},
        "a list in a list": {"mapRoles": f"- []\n{_ADMIN}", "mapUsers": _ALICE},
        "a map of sections": {"mapRoles": f"mapRoles:\n{_ADMIN}", "mapUsers": _ALICE},
        "a template that was not rendered": {"mapRoles": "{{ .Values.roles }}", "mapUsers": _ALICE},
        "wrong indent": {
            "mapRoles": f'{_ADMIN}  - {{rolearn: "@role/Dev", username: dev}}\n',
            "mapUsers": _ALICE,
        },
        "an alias without its anchor": {"mapRoles": "- *nothing\n", "mapUsers": _ALICE},
        "users": {"mapUsers": "- {", "mapRoles": _ADMIN},
        "accounts": {"mapAccounts": "- [", "mapRoles": _ADMIN},
        "accounts of one text": {"mapAccounts": '"444455556666"', "mapRoles": _ADMIN},
        "accounts of a map": {"mapAccounts": "{a: b}", "mapRoles": _ADMIN},
    },
    "several documents": {
        "dashes before": {"mapRoles": f"---\n{_ADMIN}"},
        "dashes after": {"mapRoles": f"{_ADMIN}---\n"},
        "dashes after, twice": {"mapRoles": f"{_ADMIN}---\n---\n"},
        "dots after": {"mapRoles": f"{_ADMIN}...\n"},
        "an empty first one": {"mapRoles": f"---\n---\n{_ADMIN}"},
        "two lists": {
            "mapRoles": f'{_ADMIN}---\n- {{rolearn: "@role/Dev", username: dev, groups: [d]}}\n'
        },
        "two lists for one role": {
            "mapRoles": f'{_ADMIN}---\n- {{rolearn: "@role/admin", username: two, groups: [s]}}\n'
        },
        "a second one that is broken": {"mapRoles": f"{_ADMIN}---\n- {{"},
        "a second one that is a word": {"mapRoles": f"{_ADMIN}--- word\n"},
        "users": {"mapUsers": f'{_ALICE}---\n- {{userarn: "@user/Bob", username: bob}}\n'},
        "accounts": {"mapAccounts": f'{_GUESTS}---\n- "012345678901"\n'},
        "accounts and dashes": {"mapAccounts": f"{_GUESTS}---\n"},
        "a directive": {"mapRoles": f"%YAML 1.1\n---\n{_ADMIN}"},
    },
    "top-level key": {
        "in lower case": {"maproles": _ADMIN},
        "in upper case": {"MAPROLES": _ADMIN},
        "with another capital": {"MapRoles": _ADMIN},
        "users in lower case": {"mapusers": _ALICE},
        "accounts in lower case": {"mapaccounts": _GUESTS},
        "in both cases": {
            "maproles": '- {rolearn: "@role/admin", username: lower, groups: [x]}\n',
            "mapRoles": _ADMIN,
        },
        "in both cases, for two roles": {
            "maproles": '- {rolearn: "@role/Dev", username: dev, groups: [x]}\n',
            "mapRoles": _ADMIN,
        },
        "with a hyphen": {"map-roles": _ADMIN},
        "with an underscore": {"map_roles": _ADMIN},
        "of a config file": {"config.yaml": f"server:\n  mapRoles:\n  {_ADMIN}"},
        "unknown, next to known": {"comment": "- {", "mapRoles": _ADMIN},
    },
    "key of an entry": {
        "as in the documentation": {"mapRoles": _ADMIN.replace("rolearn", "roleARN")},
        "in upper case": {"mapRoles": '- {ROLEARN: "@role/admin", USERNAME: admin, GROUPS: [a]}\n'},
        "in mixed case": {"mapRoles": '- {RoLeArN: "@role/admin", uSeRnAmE: admin, Groups: [a]}\n'},
        "of a user in mixed case": {
            "mapUsers": '- {UserARN: "@user/alice", UserName: alice, Groups: [b]}\n'
        },
        "twice": {
            "mapRoles": '- {rolearn: "@role/admin", username: one, username: two, groups: [a]}\n'
        },
        "twice in two cases": {
            "mapRoles": '- {rolearn: "@role/admin", username: one, Username: two, groups: [a]}\n'
        },
        "with a blank": {"mapRoles": '- {"rolearn ": "@role/admin", username: admin}\n'},
        "with an underscore": {"mapRoles": '- {role_arn: "@role/admin", username: admin}\n'},
        "that is a number": {
            "mapRoles": '- {rolearn: "@role/admin", username: admin, groups: [a], 1: one}\n'
        },
        "that is true": {
            "mapRoles": '- {rolearn: "@role/admin", username: admin, groups: [a], yes: one}\n'
        },
    },
    "value": {
        "groups as a text": {
            "mapRoles": '- {rolearn: "@role/admin", username: admin, groups: "system:masters"}\n'
        },
        "groups as a text with commas": {
            "mapRoles": '- {rolearn: "@role/admin", username: admin, groups: "a,b"}\n'
        },
        "groups as a map": {
            "mapRoles": '- {rolearn: "@role/admin", username: admin, groups: {a: b}}\n'
        },
        "groups as a number": {
            "mapRoles": '- {rolearn: "@role/admin", username: admin, groups: 7}\n'
        },
        "groups as a text, and more entries": {
            "mapRoles": f"""\
- {{rolearn: "@role/Dev", username: dev, groups: masters}}
{_ADMIN}"""
        },
        "a group that is a number": {
            "mapRoles": '- {rolearn: "@role/admin", username: admin, groups: [a, 7]}\n'
        },
        "a group that is a boolean": {
            "mapRoles": '- {rolearn: "@role/admin", username: admin, groups: [a, on]}\n'
        },
        "a group that is null": {
            "mapRoles": '- {rolearn: "@role/admin", username: admin, groups: [a, null]}\n'
        },
        "a group that is a list": {
            "mapRoles": '- {rolearn: "@role/admin", username: admin, groups: [[a], b]}\n'
        },
        "username a number": {
            "mapRoles": '- {rolearn: "@role/admin", username: 1234, groups: [a]}\n'
        },
        "username an octal number": {
            "mapRoles": '- {rolearn: "@role/admin", username: 012345670, groups: [a]}\n'
        },
        "username a boolean": {
            "mapRoles": '- {rolearn: "@role/admin", username: yes, groups: [a]}\n'
        },
        "username a single n": {
            "mapRoles": '- {rolearn: "@role/admin", username: n, groups: [a]}\n'
        },
        "username a date": {
            "mapRoles": '- {rolearn: "@role/admin", username: 2020-01-01, groups: [a]}\n'
        },
        "username a float": {
            "mapRoles": '- {rolearn: "@role/admin", username: 1.50, groups: [a]}\n'
        },
        "username null": {"mapRoles": '- {rolearn: "@role/admin", username: null, groups: [a]}\n'},
        "username a tilde": {"mapRoles": '- {rolearn: "@role/admin", username: ~, groups: [a]}\n'},
        "username a list": {"mapRoles": '- {rolearn: "@role/admin", username: [a], groups: [a]}\n'},
        "username a map": {
            "mapRoles": '- {rolearn: "@role/admin", username: {{SessionName}}, groups: [a]}\n'
        },
        "rolearn a number": {"mapRoles": f"- {{rolearn: 7, username: seven}}\n{_ADMIN}"},
        "rolearn a list": {"mapRoles": f"- {{rolearn: [x], username: seven}}\n{_ADMIN}"},
        "sso a text": {"mapRoles": f"- {{sso: Developer, username: s}}\n{_ADMIN}"},
        "account of sso a number": {
            "mapRoles": f"""\
- {{sso: {{permissionSetName: Developer, accountID: 111122223333}}, username: s, groups: [a]}}
{_ADMIN}"""
        },
        "userid a number": {
            "mapRoles": '- {rolearn: "@role/admin", username: admin, groups: [a], userid: 7}\n'
        },
        "ARN in single quotes": {"mapRoles": "- {rolearn: '@role/admin', username: 'admin'}\n"},
        "ARN without quotes": {"mapRoles": "- rolearn: @role/admin\n  username: admin\n"},
        "a comment after it": {
            "mapRoles": "- rolearn: @role/admin # the admins\n  username: admin # Admin\n"
        },
        "a block text": {
            "mapRoles": "- rolearn: |\n    @role/admin\n  username: admin\n  groups: [a]\n"
        },
        "a folded text": {
            "mapRoles": "- rolearn: >-\n    @role/admin\n  username: >-\n    admin\n    two\n"
        },
        "username as a block": {
            "mapRoles": '- rolearn: "@role/admin"\n  username: |\n    admin\n  groups: [a]\n'
        },
        "an escape": {
            "mapRoles": '- {rolearn: "@role/adm\\x69n", username: "\\u0061dmin", groups: ["\\t"]}\n'
        },
        "a group with a hyphen": {
            "mapRoles": """\
- rolearn: "@role/admin"
  username: admin
  groups:
  - a
    - b
"""
        },
        "a tag of text": {
            "mapRoles": '- {rolearn: "@role/admin", username: !!str 7, groups: [a]}\n'
        },
        "an own tag": {
            "mapRoles": '- {rolearn: "@role/admin", username: !mine admin, groups: [a]}\n'
        },
        "an anchor": {
            "mapRoles": """\
- {rolearn: "@role/admin", username: admin, groups: &g [a, b]}
- {rolearn: "@role/Dev", username: dev, groups: *g}
"""
        },
        "a merge": {
            "mapRoles": """\
- &base {rolearn: "@role/admin", username: admin, groups: [a, b]}
- {<<: *base, rolearn: "@role/Dev"}
"""
        },
        "with Windows line ends": {
            "mapRoles": '- rolearn: "@role/admin"\r\n  username: admin\r\n  groups:\r\n  - a\r\n'
        },
        "in JSON": {
            "mapRoles": '[{"rolearn": "@role/admin", "username": "admin", "groups": ["a"]}]'
        },
        "in JSON with escapes": {
            "mapRoles": '[{"rolearn": "@role\\u002fadmin", "username": "J\\u00f6 \\ud83d\\ude00"}]'
        },
        "in JSON with a slash escaped": {
            "mapRoles": '[{"rolearn": "@role\\/admin", "username": "admin"}]'
        },
        "behind a byte order mark": {"mapRoles": f"\ufeff{_ADMIN}"},
    },
    "account": {
        "without quotes": {"mapAccounts": "- 444455556666\n"},
        "without quotes, with a zero": {"mapAccounts": "- 012345678901\n"},
        "of octal digits without quotes": {"mapAccounts": "- 011122223333\n- 444455556666\n"},
        "with underscores": {"mapAccounts": "- 4444_5555_6666\n"},
        "with a blank after it": {"mapAccounts": '- "444455556666 "\n'},
        "with a null item": {"mapAccounts": f"-\n{_GUESTS}"},
        "with a map item": {"mapAccounts": f"- {{a: b}}\n{_GUESTS}"},
        "with a list item": {"mapAccounts": f"- [a]\n{_GUESTS}"},
        "with a word": {"mapAccounts": f"- all\n{_GUESTS}"},
        "in flow": {"mapAccounts": '["444455556666", "012345678901"]'},
        "next to a broken section": {"mapAccounts": _GUESTS, "mapRoles": "- {"},
    },
}


CASES = (
    *(
        Case(
            f"{theme} (aws-auth)",
            name,
            (aws_auth(**data),),
            ("EKSConfigMap",),
        )
        for theme, documents in _DOCUMENTS.items()
        for name, data in documents.items()
    ),
    Case("no document (aws-auth)", "absent", (Step(),), ("EKSConfigMap",)),
)
