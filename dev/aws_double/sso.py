"""IAM Identity Center: the portal that gives role credentials, and its OIDC token endpoint.

Source: AWS IAM Identity Center Portal API Reference, "GetRoleCredentials"; OIDC API Reference,
"CreateToken".
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from dev.aws_double.answers import AwsError
from dev.aws_double.hosts import Endpoint
from dev.aws_double.principals import Principals, sso_user, temporary
from dev.aws_double.wire import Request, Response

_HOUR = 3600


@dataclass(frozen=True, slots=True)
class SsoSession:
    """A person's login at the portal.

    Attributes:
        access_token: what `aws sso login` keeps in its cache.
        refresh_token: what a new access token is asked for with.
        user_name: becomes the name of the role sessions.
        assignments: pairs of an account and a permission set.
        expires_at: the end of the access token, in seconds since the epoch.
    """

    access_token: str
    refresh_token: str
    user_name: str
    assignments: frozenset[tuple[str, str]]
    expires_at: float


class Sso:
    """The portal and its token endpoint, over a table of logins."""

    def __init__(
        self, sessions: Iterable[SsoSession], principals: Principals, clock: Callable[[], float]
    ) -> None:
        self._sessions = {session.refresh_token: session for session in sessions}
        self._principals = principals
        self._clock = clock

    def action(self, request: Request) -> str:
        """Give the name of the action that a request's method and path stand for."""
        found = _ACTIONS.get((request.method, request.path))
        return found[0] if found else ""

    def answer(self, request: Request, _: Endpoint) -> Response:
        """Answer a request. Raises AwsError."""
        found = _ACTIONS.get((request.method, request.path))
        if found is None:
            raise AwsError("UnknownOperationException", "There is no such operation.", 404)
        return _json(200, found[1](self, request))

    def error(self, _: Request, error: AwsError) -> Response:
        """Give the response to a refusal, its code in a header as REST services do."""
        document = {"message": error.message, "error_description": error.message}
        return _json(error.status, document, code=error.code)

    def get_role_credentials(self, request: Request) -> object:
        """Issue a session of the role behind a permission set."""
        token = request.header("x-amz-sso_bearer_token")
        session = next((s for s in self._sessions.values() if s.access_token == token), None)
        if session is None or self._clock() >= session.expires_at:
            raise AwsError("UnauthorizedException", "Session token not found or invalid", 401)
        query = dict(request.query)
        account, permission_set = query.get("account_id", ""), query.get("role_name", "")
        if (account, permission_set) not in session.assignments:
            raise AwsError("ForbiddenException", "No access")
        who = sso_user(account, permission_set, session.user_name)
        ends = int(self._clock()) + _HOUR
        issued = temporary(
            who.arn,
            who.user_id,
            expires_at=ends,
            fresh=True,
            role_arn=who.role_arn,
            claims=who.claims,
        )
        self._principals.add(issued)
        return {
            "roleCredentials": {
                "accessKeyId": issued.access_key_id,
                "secretAccessKey": issued.secret_access_key,
                "sessionToken": issued.session_token,
                "expiration": ends * 1000,
            }
        }

    def create_token(self, request: Request) -> object:
        """Replace an access token by a new one, for a refresh token."""
        try:
            document = json.loads(request.body)
            grant, refresh_token = document["grantType"], document["refreshToken"]
        except (ValueError, TypeError, KeyError) as error:
            raise AwsError("InvalidRequestException", "A refresh token is needed.", 400) from error
        session = self._sessions.get(refresh_token)
        if grant != "refresh_token" or session is None:
            raise AwsError("InvalidGrantException", "Invalid refresh token provided", 400)
        access_token = secrets.token_urlsafe()
        self._sessions[refresh_token] = replace(
            session, access_token=access_token, expires_at=self._clock() + _HOUR
        )
        return {
            "accessToken": access_token,
            "refreshToken": refresh_token,
            "tokenType": "Bearer",
            "expiresIn": _HOUR,
        }


_ACTIONS: dict[tuple[str, str], tuple[str, Callable[[Sso, Request], object]]] = {
    ("GET", "/federation/credentials"): ("GetRoleCredentials", Sso.get_role_credentials),
    ("POST", "/token"): ("CreateToken", Sso.create_token),
}


def _json(status: int, document: object, *, code: str = "") -> Response:
    headers = (("x-amzn-ErrorType", code),) if code else ()
    return Response(status, "application/json", json.dumps(document).encode(), headers)
