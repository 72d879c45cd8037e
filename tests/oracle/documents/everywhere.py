"""Documents that every source but the custom resources can hold: each in aws-auth, in the config
file and in the dynamic file."""

from __future__ import annotations

import json
from textwrap import indent
from typing import Any

import yaml

from tests.oracle.cases import Case, aws_auth, config, dynamic

# By theme and name: the three sections, in YAML that is no other in JSON.
_DOCUMENTS: dict[str, dict[str, dict[str, str]]] = {
    "duplicates": {
        "one role twice": {
            "mapRoles": """\
- {rolearn: "@role/admin", username: first, groups: ["system:masters"]}
- {rolearn: "@role/admin", username: second, groups: [viewers]}
"""
        },
        "one role three times": {
            "mapRoles": """\
- {rolearn: "@role/admin", username: first, groups: [a]}
- {rolearn: "@role/admin", username: second, groups: [b]}
- {rolearn: "@role/admin", username: third, groups: [c]}
"""
        },
        "one role twice with others between": {
            "mapRoles": """\
- {rolearn: "@role/admin", username: first, groups: [a]}
- {rolearn: "@role/Dev", username: dev, groups: [d]}
- {rolearn: "@role/admin", username: second, groups: [b]}
- {rolearn: "@role/node", username: node, groups: [nodes]}
"""
        },
        "one role twice in two cases": {
            "mapRoles": """\
- {rolearn: "@role/Admin", username: first, groups: [a]}
- {rolearn: "@role/ADMIN", username: second, groups: [b]}
"""
        },
        "the second has fewer groups": {
            "mapRoles": """\
- {rolearn: "@role/admin", username: admin, groups: [a, b, c]}
- {rolearn: "@role/admin", username: admin, groups: []}
"""
        },
        "the second has no groups key": {
            "mapRoles": """\
- {rolearn: "@role/admin", username: admin, groups: [a, b, c]}
- {rolearn: "@role/admin", username: admin}
"""
        },
        "equal to the letter": {
            "mapRoles": """\
- {rolearn: "@role/admin", username: admin, groups: [a]}
- {rolearn: "@role/admin", username: admin, groups: [a]}
"""
        },
        "one user twice": {
            "mapUsers": """\
- {userarn: "@user/alice", username: first, groups: ["system:masters"]}
- {userarn: "@user/alice", username: second, groups: [viewers]}
"""
        },
        "one user twice in two cases": {
            "mapUsers": """\
- {userarn: "@user/alice", username: first, groups: [a]}
- {userarn: "@user/Alice", username: second, groups: [b]}
"""
        },
        "one user three times in two cases": {
            "mapUsers": """\
- {userarn: "@user/bob", username: first, groups: [a]}
- {userarn: "@user/Bob", username: second, groups: [b]}
- {userarn: "@user/bob", username: third, groups: [c]}
"""
        },
        "a role in both sections": {
            "mapRoles": '- {rolearn: "@role/admin", username: of-roles, groups: [a]}\n',
            "mapUsers": '- {userarn: "@role/admin", username: of-users, groups: [b]}\n',
        },
        "a user in both sections": {
            "mapRoles": '- {rolearn: "@user/alice", username: of-roles, groups: [a]}\n',
            "mapUsers": '- {userarn: "@user/alice", username: of-users, groups: [b]}\n',
        },
        "a hundred for one role": {
            "mapRoles": "".join(
                f'- {{rolearn: "@role/admin", username: "u{number}", groups: ["g{number}"]}}\n'
                for number in range(100)
            )
        },
        "one permission set twice": {
            "mapRoles": """\
- {sso: {permissionSetName: Developer, accountID: "111122223333"}, username: a, groups: [a]}
- {sso: {permissionSetName: Developer, accountID: "111122223333"}, username: b, groups: [b]}
"""
        },
        "accounts twice": {"mapAccounts": '- "444455556666"\n- "444455556666"\n'},
    },
    "wrong section": {
        "a user among the roles": {
            "mapRoles": '- {rolearn: "@user/alice", username: alice, groups: [a]}\n'
        },
        "a role among the users": {
            "mapUsers": '- {userarn: "@role/admin", username: admin, groups: [a]}\n'
        },
        "root among the users": {"mapUsers": '- {userarn: "@root", username: boss, groups: [a]}\n'},
        "root among the roles": {"mapRoles": '- {rolearn: "@root", username: boss, groups: [a]}\n'},
        "a federated user among the users": {
            "mapUsers": '- {userarn: "@sts/federated-user/fred", username: fred, groups: [a]}\n'
        },
        "a federated user among the roles": {
            "mapRoles": '- {rolearn: "@sts/federated-user/fred", username: fred, groups: [a]}\n'
        },
    },
    "path": {
        "a role's": {"mapRoles": '- {rolearn: "@role/team/admin", username: a, groups: [a]}\n'},
        "a role's, of two steps": {
            "mapRoles": '- {rolearn: "@role/team/eu/admin", username: a, groups: [a]}\n'
        },
        "twin before the role": {
            "mapRoles": """\
- {rolearn: "@role/team/admin", username: old, groups: ["system:masters"]}
- {rolearn: "@role/admin", username: now, groups: [viewers]}
"""
        },
        "twin after the role": {
            "mapRoles": """\
- {rolearn: "@role/admin", username: now, groups: [viewers]}
- {rolearn: "@role/team/admin", username: old, groups: ["system:masters"]}
"""
        },
        "twin in the other section": {
            "mapRoles": '- {rolearn: "@role/team/admin", username: old, groups: [a]}\n',
            "mapUsers": '- {userarn: "@role/admin", username: now, groups: [b]}\n',
        },
        "two twins": {
            "mapRoles": """\
- {rolearn: "@role/team/admin", username: first, groups: [a]}
- {rolearn: "@role/other/admin", username: second, groups: [b]}
"""
        },
        "a user's": {"mapUsers": '- {userarn: "@user/staff/alice", username: a, groups: [a]}\n'},
        "a user's, and the user without": {
            "mapUsers": """\
- {userarn: "@user/staff/alice", username: staff, groups: [a]}
- {userarn: "@user/alice", username: plain, groups: [b]}
"""
        },
        "of a permission set's role": {
            "mapRoles": """\
- rolearn: "@role/aws-reserved/sso.amazonaws.com/AWSReservedSSO_Developer_0123456789abcdef"
  username: sso
  groups: [a]
"""
        },
        "twin and the account": {
            "mapRoles": '- {rolearn: "@role/team/admin", username: old, groups: [a]}\n',
            "mapAccounts": '- "111122223333"\n',
        },
    },
    "arn": {
        "in upper case": {"mapRoles": '- {rolearn: "@role/ADMIN", username: admin, groups: [a]}\n'},
        "in lower case, the caller's not": {
            "mapRoles": '- {rolearn: "@role/dev", username: dev, groups: [a]}\n'
        },
        "of a user in lower case": {
            "mapUsers": '- {userarn: "@user/bob", username: bob, groups: [a]}\n'
        },
        "of another partition": {
            "mapRoles": """\
- {rolearn: "arn:aws-cn:iam::111122223333:role/admin", username: cn, groups: [a]}
"""
        },
        "of an account that begins with zero": {
            "mapRoles": """\
- {rolearn: "arn:aws:iam::012345678901:role/admin", username: zero, groups: [a]}
"""
        },
        "of another account": {
            "mapRoles": """\
- {rolearn: "arn:aws:iam::444455556666:role/admin", username: guest, groups: [a]}
"""
        },
        "of a session": {
            "mapRoles": '- {rolearn: "@sts/assumed-role/admin/s1", username: a, groups: [a]}\n'
        },
        "of a session, and of the role": {
            "mapRoles": """\
- {rolearn: "@role/admin", username: role, groups: [a]}
- {rolearn: "@sts/assumed-role/admin/s1", username: session, groups: [b]}
"""
        },
        "of an instance profile": {
            "mapRoles": '- {rolearn: "@role/x", username: x, groups: [a]}\n',
            "mapUsers": """\
- {userarn: "arn:aws:iam::111122223333:user/alice", username: alice, groups: [a]}
""",
        },
        "that ends with a blank": {
            "mapRoles": '- {rolearn: "@role/admin ", username: admin, groups: [a]}\n'
        },
        "that begins with a blank": {
            "mapRoles": '- {rolearn: " @role/admin", username: admin, groups: [a]}\n'
        },
    },
    "wildcard": {
        "in a role's name": {"mapRoles": '- {rolearn: "@role/adm*", username: w, groups: [a]}\n'},
        "in a user's name": {"mapUsers": '- {userarn: "@user/ali?e", username: w, groups: [a]}\n'},
        "and the role itself after it": {
            "mapRoles": """\
- {rolearn: "@role/a*", username: wide, groups: [a]}
- {rolearn: "@role/admin", username: narrow, groups: [b]}
"""
        },
        "and the role itself before it": {
            "mapRoles": """\
- {rolearn: "@role/admin", username: narrow, groups: [b]}
- {rolearn: "@role/a*", username: wide, groups: [a]}
"""
        },
        "in the account": {
            "mapRoles": '- {rolearn: "arn:aws:iam::*:role/admin", username: w, groups: [a]}\n'
            '- {rolearn: "@role/Dev", username: d, groups: [a]}\n'
        },
    },
    "sso": {
        "of the account": {
            "mapRoles": """\
- {sso: {permissionSetName: Developer, accountID: "111122223333"}, username: s, groups: [a]}
"""
        },
        "in another case": {
            "mapRoles": """\
- {sso: {permissionSetName: DEVELOPER, accountID: "111122223333"}, username: s, groups: [a]}
"""
        },
        "with keys in another case": {
            "mapRoles": """\
- {SSO: {PERMISSIONSETNAME: Developer, accountid: "111122223333"}, username: s, groups: [a]}
"""
        },
        "of another account": {
            "mapRoles": """\
- {sso: {permissionSetName: Developer, accountID: "444455556666"}, username: s, groups: [a]}
"""
        },
        "with the partition": {
            "mapRoles": """\
- sso: {permissionSetName: Developer, accountID: "111122223333", partition: aws}
  username: s
  groups: [a]
"""
        },
        "with another partition": {
            "mapRoles": """\
- sso: {permissionSetName: Developer, accountID: "111122223333", partition: aws-cn}
  username: s
  groups: [a]
"""
        },
        "the longer name only": {
            "mapRoles": """\
- sso: {permissionSetName: Developer_Extra, accountID: "111122223333"}
  username: s
  groups: [a]
"""
        },
        "both names": {
            "mapRoles": """\
- {sso: {permissionSetName: Developer, accountID: "111122223333"}, username: s, groups: [a]}
- sso: {permissionSetName: Developer_Extra, accountID: "111122223333"}
  username: longer
  groups: [b]
"""
        },
        "and the role itself": {
            "mapRoles": """\
- {sso: {permissionSetName: Developer, accountID: "111122223333"}, username: s, groups: [a]}
- rolearn: "@role/AWSReservedSSO_Developer_0123456789abcdef"
  username: exact
  groups: [b]
"""
        },
        "the role itself, and sso after it": {
            "mapRoles": """\
- rolearn: "@role/AWSReservedSSO_Developer_0123456789abcdef"
  username: exact
  groups: [b]
- {sso: {permissionSetName: Developer, accountID: "111122223333"}, username: s, groups: [a]}
"""
        },
        "with a dot in its name": {
            "mapRoles": """\
- {sso: {permissionSetName: D.v+loper, accountID: "111122223333"}, username: s, groups: [a]}
"""
        },
        "and its session's name": {
            "mapRoles": """\
- sso: {permissionSetName: Developer, accountID: "111122223333"}
  username: "sso:{{SessionName}}"
  groups: ["{{AccountID}}"]
"""
        },
    },
    "template": {
        "of the account": {
            "mapRoles": '- {rolearn: "@role/admin", username: "a:{{AccountID}}", groups: [g]}\n'
        },
        "of the session": {
            "mapRoles": '- {rolearn: "@role/admin", username: "a:{{SessionName}}", groups: [g]}\n'
        },
        "of the session as it is": {
            "mapRoles": """\
- {rolearn: "@role/admin", username: "a:{{SessionNameRaw}}", groups: [g]}
"""
        },
        "of the access key": {
            "mapRoles": '- {rolearn: "@role/admin", username: "a:{{AccessKeyID}}", groups: [g]}\n'
        },
        "of the instance": {
            "mapRoles": """\
- rolearn: "@role/node"
  username: "system:node:{{EC2PrivateDNSName}}"
  groups: ["system:bootstrappers", "system:nodes"]
"""
        },
        "of the instance in a group": {
            "mapRoles": """\
- {rolearn: "@role/node", username: node, groups: ["of:{{EC2PrivateDNSName}}"]}
"""
        },
        "of the instance for who is none": {
            "mapRoles": '- {rolearn: "@role/admin", username: "{{EC2PrivateDNSName}}"}\n'
        },
        "in groups": {
            "mapRoles": """\
- rolearn: "@role/admin"
  username: a
  groups: ["{{AccountID}}", "s:{{SessionName}}", "r:{{SessionNameRaw}}"]
"""
        },
        "twice": {
            "mapRoles": """\
- {rolearn: "@role/admin", username: "{{AccountID}}{{AccountID}}", groups: ["{{SessionName}}"]}
"""
        },
        "of a user's session": {
            "mapUsers": '- {userarn: "@user/alice", username: "u:{{SessionName}}", groups: [g]}\n'
        },
        "of a federated user's session": {
            "mapUsers": """\
- {userarn: "@sts/federated-user/fred", username: "u:{{SessionName}}", groups: [g]}
"""
        },
        "of a session that is all": {
            "mapUsers": '- {userarn: "@user/alice", username: "{{SessionName}}", groups: [g]}\n'
        },
        "that is unknown": {
            "mapRoles": '- {rolearn: "@role/admin", username: "a:{{Nonsense}}", groups: [g]}\n'
        },
        "in another case": {
            "mapRoles": '- {rolearn: "@role/admin", username: "a:{{accountid}}", groups: [g]}\n'
        },
        "with blanks": {
            "mapRoles": '- {rolearn: "@role/admin", username: "a:{{ AccountID }}", groups: [g]}\n'
        },
        "that is not closed": {
            "mapRoles": '- {rolearn: "@role/admin", username: "a:{{AccountID", groups: [g]}\n'
        },
        "of the ARN": {
            "mapRoles": '- {rolearn: "@role/admin", username: "{{CanonicalARN}}", groups: [g]}\n'
        },
    },
    "name": {
        "missing": {"mapRoles": '- {rolearn: "@role/admin", groups: [a]}\n'},
        "empty": {"mapRoles": '- {rolearn: "@role/admin", username: "", groups: [a]}\n'},
        "with a blank in it": {
            "mapRoles": '- {rolearn: "@role/admin", username: "John Doe", groups: ["a b"]}\n'
        },
        "with blanks around it": {
            "mapRoles": '- {rolearn: "@role/admin", username: " john ", groups: [" a "]}\n'
        },
        "in another script": {
            "mapRoles": '- {rolearn: "@role/admin", username: "Łukasz", groups: ["группа"]}\n'
        },
        "of the system": {
            "mapRoles": """\
- {rolearn: "@role/admin", username: "system:admin", groups: ["system:masters"]}
"""
        },
        "with a line break": {
            "mapRoles": '- {rolearn: "@role/admin", username: "a\\nb", groups: [a]}\n'
        },
        "of 1,500 letters": {
            "mapRoles": f'- {{rolearn: "@role/admin", username: "{"x" * 1500}", groups: [a]}}\n'
        },
        "that is an ARN": {
            "mapRoles": '- {rolearn: "@role/admin", username: "@role/admin", groups: [a]}\n'
        },
    },
    "groups": {
        "missing": {"mapRoles": '- {rolearn: "@role/admin", username: admin}\n'},
        "of none": {"mapRoles": '- {rolearn: "@role/admin", username: admin, groups: []}\n'},
        "of null": {"mapRoles": '- {rolearn: "@role/admin", username: admin, groups: null}\n'},
        "in order": {
            "mapRoles": '- {rolearn: "@role/admin", username: admin, groups: [z, a, m]}\n'
        },
        "named twice": {
            "mapRoles": '- {rolearn: "@role/admin", username: admin, groups: [a, b, a]}\n'
        },
        "of an empty text": {
            "mapRoles": '- {rolearn: "@role/admin", username: admin, groups: ["", a]}\n'
        },
    },
    "userid": {
        "the caller's": {
            "mapRoles": """\
- {rolearn: "@role/admin", username: a, groups: [a], userid: AROA1ADMIN0000000000}
"""
        },
        "another's": {
            "mapRoles": """\
- {rolearn: "@role/admin", username: a, groups: [a], userid: AROA1OTHER0000000000}
"""
        },
        "of a user": {
            "mapUsers": """\
- {userarn: "@user/alice", username: a, groups: [a], userid: AIDA1ALICE0000000000}
"""
        },
        "another's, before an entry without": {
            "mapRoles": """\
- {rolearn: "@role/admin", username: pinned, groups: [a], userid: AROA1OTHER0000000000}
- {rolearn: "@role/admin", username: open, groups: [b]}
"""
        },
        "another's, after an entry without": {
            "mapRoles": """\
- {rolearn: "@role/admin", username: open, groups: [b]}
- {rolearn: "@role/admin", username: pinned, groups: [a], userid: AROA1OTHER0000000000}
"""
        },
        "the caller's, before an entry without": {
            "mapRoles": """\
- {rolearn: "@role/admin", username: pinned, groups: [a], userid: AROA1ADMIN0000000000}
- {rolearn: "@role/admin", username: open, groups: [b]}
"""
        },
    },
    "expires": {
        "in the past": {
            "mapRoles": """\
- {rolearn: "@role/admin", username: a, groups: [a], expires: "2020-01-01T00:00:00Z"}
"""
        },
        "in the future": {
            "mapRoles": """\
- {rolearn: "@role/admin", username: a, groups: [a], expires: "2090-01-01T00:00:00Z"}
"""
        },
        "in the past, above a lasting entry": {
            "mapRoles": """\
- {rolearn: "@role/admin", username: gone, groups: [a], expires: "2020-01-01T00:00:00Z"}
- {rolearn: "@role/admin", username: lasting, groups: [b]}
"""
        },
        "in the past, below a lasting entry": {
            "mapRoles": """\
- {rolearn: "@role/admin", username: lasting, groups: [b]}
- {rolearn: "@role/admin", username: gone, groups: [a], expires: "2020-01-01T00:00:00Z"}
"""
        },
    },
    "account": {
        "of the caller": {"mapAccounts": '- "444455556666"\n'},
        "that begins with zero": {"mapAccounts": '- "012345678901"\n'},
        "of all kinds of callers": {"mapAccounts": '- "111122223333"\n'},
        "and an entry": {
            "mapRoles": '- {rolearn: "@role/admin", username: a, groups: [a]}\n',
            "mapAccounts": '- "111122223333"\n',
        },
        "with hyphens": {"mapAccounts": '- "4444-5555-6666"\n'},
        "of none": {"mapAccounts": "[]\n"},
    },
    "bad entry": {
        "without an ARN": {
            "mapRoles": """\
- {username: nobody, groups: [a]}
- {rolearn: "@role/admin", username: admin, groups: [b]}
"""
        },
        "with an empty ARN": {
            "mapRoles": """\
- {rolearn: "", username: nobody, groups: [a]}
- {rolearn: "@role/admin", username: admin, groups: [b]}
"""
        },
        "with an ARN that is none": {
            "mapRoles": """\
- {rolearn: nonsense, username: nobody, groups: [a]}
- {rolearn: "@role/admin", username: admin, groups: [b]}
"""
        },
        "with both rolearn and sso": {
            "mapRoles": """\
- rolearn: "@role/Dev"
  sso: {permissionSetName: Developer, accountID: "111122223333"}
  username: both
  groups: [a]
- {rolearn: "@role/admin", username: admin, groups: [b]}
"""
        },
        "sso without an account": {
            "mapRoles": """\
- {sso: {permissionSetName: Developer}, username: s, groups: [a]}
- {rolearn: "@role/admin", username: admin, groups: [b]}
"""
        },
        "userarn among the roles": {
            "mapRoles": """\
- {userarn: "@user/alice", username: alice, groups: [a]}
- {rolearn: "@role/admin", username: admin, groups: [b]}
"""
        },
        "rolearn among the users": {
            "mapUsers": """\
- {rolearn: "@role/Dev", username: dev, groups: [a]}
- {userarn: "@user/alice", username: alice, groups: [b]}
"""
        },
        "with an unknown key": {
            "mapRoles": """\
- {rolearn: "@role/admin", username: admin, groups: [b], comment: none, tags: [x]}
"""
        },
        "a user's ARN that is none": {
            "mapUsers": """\
- {userarn: nonsense, username: nobody, groups: [a]}
- {userarn: "@user/alice", username: alice, groups: [b]}
"""
        },
    },
}


def _cases(theme: str, name: str, sections: dict[str, str]) -> tuple[Case, ...]:
    server = "".join(f"{key}:\n{indent(text, '  ')}" for key, text in sections.items())
    lists: dict[str, Any] = {
        key: yaml.load(text, yaml.BaseLoader) for key, text in sections.items()
    }
    for entry in (entry for entries in lists.values() for entry in entries or ()):
        if isinstance(entry, dict) and entry.get("groups") == "null":
            entry["groups"] = None
    steps = (
        ("EKSConfigMap", aws_auth(**sections)),
        ("MountedFile", config(server)),
        ("DynamicFile", dynamic(json.dumps(lists))),
    )
    return tuple(
        Case(
            f"{theme} ({mode})",
            name,
            (step,),
            (mode,),
        )
        for mode, step in steps
    )


CASES = tuple(
    case
    for theme, documents in _DOCUMENTS.items()
    for name, sections in documents.items()
    for case in _cases(theme, name, sections)
)
