"""Who logs in, as whom the mappings below let them, and the tokens that they make."""

from __future__ import annotations

import base64
import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import boto3
from botocore.signers import RequestSigner

from dev.aws_double.principals import Principal, assumed_role, sso_user, user
from dev.aws_double.trust import Role
from tests.corpus import forge

if TYPE_CHECKING:
    from collections.abc import Mapping

# Those of the corpus, so that its tokens are for the same server.
CLUSTER_ID = forge.Signer().cluster_id
REGION = forge.Signer().region

ACCOUNT = "111122223333"
LISTED_ACCOUNT = "444455556666"


@dataclass(frozen=True)
class Caller:
    """One AWS identity, and the Kubernetes user that the mappings make of it."""

    principal: Principal
    username: str
    groups: tuple[str, ...]
    canonical_arn: str
    session: str = ""

    @property
    def user_info(self) -> dict[str, Any]:
        """What `kubectl auth whoami` shows, with the reference as with ours."""
        federated = ":federated-user/" in self.principal.arn
        user_id = self.principal.user_id
        unique_id = user_id if federated else user_id.partition(":")[0]
        return {
            "username": self.username,
            "uid": f"aws-iam-authenticator:{self.principal.account}:{unique_id}",
            "groups": [*self.groups, "system:authenticated"],
            "extra": {
                "accessKeyId": [self.principal.access_key_id],
                "arn": [self.principal.arn],
                "canonicalArn": [self.canonical_arn],
                "principalId": [unique_id],
                "sessionName": [self.session],
                "sigs.k8s.io/aws-iam-authenticator/principalId": [unique_id],
            },
        }


_ALICE = user(ACCOUNT, "alice", path="staff/")
_CAROL = sso_user(ACCOUNT, "Developer", "carol@example.com")
_GUEST = user(LISTED_ACCOUNT, "guest")
DEPLOYER_ROLE = Role(
    f"arn:aws:iam::{ACCOUNT}:role/teams/platform/deployer", trusts=frozenset({_ALICE.arn})
)

ALICE = Caller(_ALICE, "alice", ("readers",), _ALICE.arn)
DEPLOYER = Caller(
    assumed_role(ACCOUNT, "deployer", "ci-42"),
    "deployer:ci-42",
    ("deployers",),
    f"arn:aws:iam::{ACCOUNT}:role/deployer",
    "ci-42",
)
CAROL = Caller(
    _CAROL,
    "sso:carol-example.com",
    ("developers", f"account:{ACCOUNT}"),
    f"arn:aws:iam::{ACCOUNT}:role/{_CAROL.arn.split('/')[1]}",
    "carol@example.com",
)
GUEST = Caller(_GUEST, _GUEST.arn, (), _GUEST.arn)
MAPPED = {
    "iam-user": ALICE,
    "assumed-role": DEPLOYER,
    "sso-permission-set": CAROL,
    "listed-account": GUEST,
}

NEWCOMER = user(ACCOUNT, "newcomer")
STRANGER = user("777788889999", "mallory")

# So many that none of them comes near what one access key may cost a second.
CROWD = tuple(user(LISTED_ACCOUNT, f"guest-{number}") for number in range(100))

# Whose keys the corpus's tokens are signed with, and a session whose token is as long as they come.
_CORPUS_SIGNER = forge.Signer()
_CORPUS_USER = Principal(
    f"arn:aws:iam::{LISTED_ACCOUNT}:user/corpus",
    "AIDACORPUSCORPUSCORPU",
    _CORPUS_SIGNER.access_key_id,
    _CORPUS_SIGNER.secret_key,
)
LONG_SESSION = Principal(
    f"arn:aws:sts::{ACCOUNT}:assumed-role/deployer/long",
    "AROACORPUSCORPUSCORPU:long",
    "ASIALONGSESSIONTOKEN",
    "a secret of the corpus",
    session_token="A" * 6000,
)

PRINCIPALS = (
    *(caller.principal for caller in MAPPED.values()),
    *CROWD,
    NEWCOMER,
    STRANGER,
    _CORPUS_USER,
    LONG_SESSION,
)


def configuration() -> dict[str, Any]:
    """The server's config file, in the reference's words; a new one for each caller to change."""
    return {
        "clusterID": CLUSTER_ID,
        "server": {
            "mapRoles": [
                {
                    "roleARN": DEPLOYER_ROLE.arn,
                    "username": "deployer:{{SessionName}}",
                    "groups": ["deployers"],
                },
                {
                    "sso": {"permissionSetName": "Developer", "accountID": ACCOUNT},
                    "username": "sso:{{SessionName}}",
                    "groups": ["developers", "account:{{AccountID}}"],
                },
            ],
            "mapUsers": [{"userARN": _ALICE.arn, "username": "alice", "groups": ["readers"]}],
            "mapAccounts": [LISTED_ACCOUNT],
        },
    }


_SERIAL = itertools.count()
_CROWD_IN_TURN = itertools.cycle(CROWD)


def fresh_token(principal: Principal, **case: Any) -> str:
    """A token that nobody has seen: neither the API server's cache nor ours.

    STS does not look at X-Amz-Expires beyond the signature, so that it can number the tokens of one
    second. `case` is as in the corpus.
    """
    case["set"] = {"X-Amz-Expires": str(next(_SERIAL) % 901), **case.get("set", {})}
    return forge.token(case, signer(principal))


def token_of_the_crowd() -> str:
    """A token that nobody has seen, of somebody of the crowd in turn."""
    return fresh_token(next(_CROWD_IN_TURN))


def signer(principal: Principal) -> forge.Signer:
    """The principal's keys, for the corpus."""
    return forge.Signer(
        principal.access_key_id, principal.secret_access_key, principal.session_token or ""
    )


def boto3_token(principal: Principal, cluster_id: str = CLUSTER_ID) -> str:
    """A token as scripts make it that follow the EKS documentation for boto3."""
    session = boto3.session.Session(
        aws_access_key_id=principal.access_key_id,
        aws_secret_access_key=principal.secret_access_key,
        aws_session_token=principal.session_token,
        region_name=REGION,
    )
    service = session.client("sts").meta.service_model.service_id
    presigner = RequestSigner(
        service, REGION, "sts", "v4", session.get_credentials(), session.events
    )
    request = {
        "method": "GET",
        "url": f"https://sts.{REGION}.amazonaws.com/?Action=GetCallerIdentity&Version=2011-06-15",
        "body": {},
        "headers": {"x-k8s-aws-id": cluster_id},
        "context": {},
    }
    url = presigner.generate_presigned_url(
        request, region_name=REGION, expires_in=60, operation_name=""
    )
    return "k8s-aws-v1." + base64.urlsafe_b64encode(url.encode()).decode().rstrip("=")


def exec_user(
    command: str, *arguments: str, version: str = "client.authentication.k8s.io/v1"
) -> dict[str, object]:
    """A kubeconfig's user entry that has kubectl run a command for a token."""
    plugin = {
        "apiVersion": version,
        "command": command,
        "args": list(arguments),
        "interactiveMode": "Never",
    }
    return {"exec": plugin}


def variables(principal: Principal, double: Mapping[str, str]) -> dict[str, str]:
    """The environment of somebody who has the principal's keys, where the double is AWS."""
    return {**double, **principal.environment(), "AWS_REGION": REGION}
