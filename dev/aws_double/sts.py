"""The actions of STS.

Source: AWS STS API Reference, version 2011-06-15.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from dev.aws_double.answers import AwsError, Result, result_response
from dev.aws_double.hosts import Endpoint
from dev.aws_double.principals import Principal, Principals
from dev.aws_double.signature import verify
from dev.aws_double.wire import Request, Response

VERSION = "2011-06-15"

Parameters = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Sts:
    """STS over a table of principals.

    Attributes:
        principals: the keys that are known.
        clock: seconds since the epoch.
    """

    principals: Principals
    clock: Callable[[], float]

    def answer(self, request: Request, endpoint: Endpoint) -> Response:
        """Answer a request. Raises AwsError."""
        parameters = read_parameters(request)
        action = parameters.get("Action", "")
        act = _SIGNED.get(action)
        if act is None or parameters.get("Version") != VERSION:
            raise AwsError(
                "InvalidAction",
                f"Could not find operation {action} for version {parameters.get('Version')}",
                400,
            )
        caller = verify(request, endpoint, self.principals, self.clock())
        return result_response(request, action, act(self, caller, parameters))

    def get_caller_identity(self, caller: Principal, _: Parameters) -> Result:
        """Answer who signed."""
        return {"Account": caller.account, "Arn": caller.arn, "UserId": caller.user_id}


def read_parameters(request: Request) -> Parameters:
    """Give a request's parameters, which may be in the query and in the form."""
    return dict((*request.query, *request.form))


_SIGNED: dict[str, Callable[[Sts, Principal, Parameters], Result]] = {
    "GetCallerIdentity": Sts.get_caller_identity,
}
