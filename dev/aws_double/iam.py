"""The actions of IAM that switch outbound web identity federation.

Source: AWS IAM API Reference, version 2010-05-08.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from dev.aws_double.answers import AwsError, Result, error_response, result_response
from dev.aws_double.federation import Federation, Issuer
from dev.aws_double.hosts import Endpoint
from dev.aws_double.principals import Principals
from dev.aws_double.signature import verify
from dev.aws_double.wire import Request, Response

VERSION = "2010-05-08"


@dataclass(frozen=True, slots=True)
class Iam:
    """IAM, as far as federation goes; every key of an account may administer it.

    Attributes:
        federation: the issuers.
        principals: the keys that are known.
        clock: seconds since the epoch.
    """

    federation: Federation
    principals: Principals
    clock: Callable[[], float]

    def action(self, request: Request) -> str:
        """Give the action that a request names."""
        return dict(request.form).get("Action", "")

    def answer(self, request: Request, endpoint: Endpoint) -> Response:
        """Answer a request. Raises AwsError."""
        action = self.action(request)
        if dict(request.form).get("Version") != VERSION or action not in _ACTIONS:
            raise AwsError("InvalidAction", f"Could not find operation {action}", 400)
        caller = verify(request, endpoint, self.principals, self.clock())
        return result_response(request, action, _ACTIONS[action](self, caller.account))

    def error(self, request: Request, error: AwsError) -> Response:
        """Give the response to a refusal."""
        return error_response(request, error)

    def enable(self, account: str) -> Result:
        """Have STS issue tokens, and answer with the account's issuer."""
        issuer = self.federation.find(account)
        if issuer is not None and issuer.enabled:
            raise AwsError("FeatureEnabled", "The feature is already enabled.", 409)
        if issuer is None:
            issuer = self.federation.enable(account)
        issuer.enabled = True
        return {"IssuerIdentifier": issuer.url}

    def disable(self, account: str) -> Result:
        """Issue no more tokens."""
        self._enabled(account)
        self.federation.disable(account)
        return {}

    def info(self, account: str) -> Result:
        """Answer with the account's issuer."""
        return {"IssuerIdentifier": self._enabled(account).url, "JwtVendingEnabled": "true"}

    def _enabled(self, account: str) -> Issuer:
        issuer = self.federation.find(account)
        if issuer is None or not issuer.enabled:
            raise AwsError("FeatureDisabled", "The feature is not enabled.", 404)
        return issuer


_ACTIONS: dict[str, Callable[[Iam, str], Result]] = {
    "EnableOutboundWebIdentityFederation": Iam.enable,
    "DisableOutboundWebIdentityFederation": Iam.disable,
    "GetOutboundWebIdentityFederationInfo": Iam.info,
}
