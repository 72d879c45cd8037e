"""Callers for tests, as STS would prove them."""

from __future__ import annotations

from authenticator.aws.arns import CallerIdentity, PrincipalArn

ACCOUNT = "111122223333"
ROLE_ID = "AROAEXAMPLEEXAMPLE123"
USER_ID = "AIDAEXAMPLEEXAMPLE123"


def caller(arn: str, user_id: str = "") -> CallerIdentity:
    """The caller with this ARN; the user id defaults to one that fits it."""
    parsed = PrincipalArn.parse(arn)
    fitting = {
        "assumed-role": f"{ROLE_ID}:{parsed.session}",
        "user": USER_ID,
        "federated-user": f"{parsed.account_id}:{parsed.name}",
        "root": parsed.account_id,
    }
    return CallerIdentity(parsed, user_id or fitting[parsed.kind.value], "ASIAEXAMPLE")


def role(
    name: str, session: str = "alice", account: str = ACCOUNT, partition: str = "aws"
) -> CallerIdentity:
    """A session of a role."""
    return caller(f"arn:{partition}:sts::{account}:assumed-role/{name}/{session}")


def user(name: str, account: str = ACCOUNT) -> CallerIdentity:
    """An IAM user; `name` may have a path."""
    return caller(f"arn:aws:iam::{account}:user/{name}")
