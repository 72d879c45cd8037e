"""The actions of STS.

Source: AWS STS API Reference, version 2011-06-15.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone

from dev.aws_double import web_identity
from dev.aws_double.answers import AwsError, Result, error_response, result_response
from dev.aws_double.hosts import Endpoint
from dev.aws_double.principals import Principal, Principals, temporary
from dev.aws_double.signature import verify
from dev.aws_double.trust import (
    CHAINED_LIMIT,
    Parameters,
    Role,
    check_trust,
    not_authorized,
    read_duration,
    read_session_name,
)
from dev.aws_double.web_identity import WebIdentity, read_tags
from dev.aws_double.wire import Request, Response

VERSION = "2011-06-15"
_HOUR = 3600
_SESSION_LIMIT = 36 * _HOUR


@dataclass(frozen=True, slots=True)
class Sts:
    """STS over a table of principals, to which the sessions that it issues are added.

    Attributes:
        principals: the keys that are known.
        clock: seconds since the epoch.
        roles: by ARN.
        mfa_codes: the code that each device shows, by the device's serial number or ARN.
        web_identities: the subject of each web identity token.
        web_identity: issues JWTs.
    """

    principals: Principals
    clock: Callable[[], float]
    roles: Mapping[str, Role]
    mfa_codes: Mapping[str, str]
    web_identities: Mapping[str, str]
    web_identity: WebIdentity

    def action(self, request: Request) -> str:
        """Give the action that a request names."""
        return _parameters(request).get("Action", "")

    def answer(self, request: Request, endpoint: Endpoint) -> Response:
        """Answer a request. Raises AwsError."""
        parameters = _parameters(request)
        action = parameters.get("Action", "")
        if parameters.get("Version") != VERSION or action not in _ACTIONS:
            raise AwsError(
                "InvalidAction",
                f"Could not find operation {action} for version {parameters.get('Version')}",
                400,
            )
        if action in _UNSIGNED:
            return result_response(request, action, _UNSIGNED[action](self, parameters))
        caller = verify(request, endpoint, self.principals, self.clock())
        if action == web_identity.ACTION:
            result = self.web_identity.issue(caller, parameters, endpoint)
        else:
            result = _SIGNED[action](self, caller, parameters)
        return result_response(request, action, result)

    def error(self, request: Request, error: AwsError) -> Response:
        """Give the response to a refusal."""
        return error_response(request, error)

    def get_caller_identity(self, caller: Principal, _: Parameters) -> Result:
        """Answer who signed."""
        return {"Account": caller.account, "Arn": caller.arn, "UserId": caller.user_id}

    def assume_role(self, caller: Principal, parameters: Parameters) -> Result:
        """Issue a session of a role."""
        arn = parameters.get("RoleArn", "")
        role = self.roles.get(arn)
        if role is None:
            raise not_authorized(caller, arn)
        name = read_session_name(parameters)
        check_trust(role, caller, parameters, mfa=self._check_mfa(parameters))
        chained = caller.arn.split(":")[5].startswith("assumed-role/")
        longest = min(role.longest, CHAINED_LIMIT) if chained else role.longest
        seconds = read_duration(parameters, default=_HOUR, longest=longest)
        return self._session(role, name, seconds, claims=_session_claims(role, parameters))

    def assume_role_with_web_identity(self, parameters: Parameters) -> Result:
        """Issue a session of a role to who holds a web identity token."""
        subject = self.web_identities.get(parameters.get("WebIdentityToken", ""))
        if subject is None:
            raise AwsError("InvalidIdentityToken", "The ID Token provided is not a valid JWT.", 400)
        role = self.roles.get(parameters.get("RoleArn", ""))
        if role is None or subject not in role.trusts_subjects:
            raise AwsError(
                "AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity"
            )
        duration = read_duration(parameters, default=_HOUR, longest=role.longest)
        claims = {**_session_claims(role, {}), "federated_provider": _provider(role)}
        session = self._session(role, read_session_name(parameters), duration, claims=claims)
        return {**session, "SubjectFromWebIdentityToken": subject}

    def get_session_token(self, caller: Principal, parameters: Parameters) -> Result:
        """Issue temporary keys of the caller's own, which may carry an MFA code's proof."""
        if caller.session_token is not None:
            raise AwsError("AccessDenied", "Cannot call GetSessionToken with session credentials")
        mfa = self._check_mfa(parameters)
        seconds = read_duration(parameters, default=12 * _HOUR, longest=_SESSION_LIMIT)
        return self._issue(caller.arn, caller.user_id, seconds, mfa=mfa, claims=caller.claims)

    def _check_mfa(self, parameters: Parameters) -> bool:
        """Tell whether an MFA code was given. Raises AwsError: AccessDenied when it is wrong."""
        serial, code = parameters.get("SerialNumber"), parameters.get("TokenCode")
        if serial is None and code is None:
            return False
        if serial is None or code is None or self.mfa_codes.get(serial) != code:
            raise AwsError(
                "AccessDenied",
                "MultiFactorAuthentication failed with invalid MFA one time pass code.",
            )
        return True

    def _session(
        self, role: Role, name: str, seconds: int, *, claims: Mapping[str, object] | None = None
    ) -> Result:
        arn, user_id = role.session(name)
        issued = self._issue(arn, user_id, seconds, role_arn=role.arn, claims=claims)
        return {**issued, "AssumedRoleUser": {"Arn": arn, "AssumedRoleId": user_id}}

    def _issue(
        self,
        arn: str,
        user_id: str,
        seconds: int,
        *,
        mfa: bool = False,
        role_arn: str = "",
        claims: Mapping[str, object] | None = None,
    ) -> Result:
        ends = int(self.clock()) + seconds
        issued = temporary(
            arn,
            user_id,
            expires_at=ends,
            multi_factor=mfa,
            fresh=True,
            role_arn=role_arn,
            claims=claims,
        )
        self.principals.add(issued)
        return {
            "Credentials": {
                "AccessKeyId": issued.access_key_id,
                "SecretAccessKey": issued.secret_access_key,
                "SessionToken": issued.session_token or "",
                "Expiration": datetime.fromtimestamp(ends, timezone.utc),
            }
        }


def _parameters(request: Request) -> Parameters:
    """Give a request's parameters, which may be in the query and in the form."""
    return dict((*request.query, *request.form))


def _session_claims(role: Role, parameters: Parameters) -> dict[str, object]:
    """Give what a session of a role carries into a JWT: tags, those of the session first."""
    claims: dict[str, object] = {}
    if tags := {**role.tags, **read_tags(parameters)}:
        claims["principal_tags"] = tags
    if source := parameters.get("SourceIdentity"):
        claims["source_identity"] = source
    return claims


def _provider(role: Role) -> str:
    """Give the identity provider of the web identities that the double accepts."""
    _, partition, _, _, account, _ = role.arn.split(":", 5)
    return f"arn:{partition}:iam::{account}:oidc-provider/oidc.example.com"


_SIGNED: dict[str, Callable[[Sts, Principal, Parameters], Result]] = {
    "AssumeRole": Sts.assume_role,
    "GetCallerIdentity": Sts.get_caller_identity,
    "GetSessionToken": Sts.get_session_token,
}
_UNSIGNED: dict[str, Callable[[Sts, Parameters], Result]] = {
    "AssumeRoleWithWebIdentity": Sts.assume_role_with_web_identity,
}
_ACTIONS = {*_SIGNED, *_UNSIGNED, web_identity.ACTION}
