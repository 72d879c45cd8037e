"""Credentials that take more than reading: roles, SSO, web identity, processes, metadata.

botocore knows how; this module asks it and turns what goes wrong into words that help. Importing
it costs a fifth of a second, so only a token that needs it does.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import botocore.session

from . import botocore_faults
from .credentials import Credentials
from .errors import ClientError

if TYPE_CHECKING:
    from .profiles import Section

_ROLE_ARN = re.compile(r"arn:aws[a-z-]*:iam::[0-9]{12}:role/[\w+=,.@/-]+", re.ASCII)
_SESSION_NAME = re.compile(r"[\w+=,.@-]{2,64}", re.ASCII)
_DEFAULT_SESSION_NAME = "aws-iam-authenticator"


class BotocoreSession:
    """botocore's view of one profile, or of the environment when none is named."""

    def __init__(self, profile: str | None) -> None:
        self._session: Any = botocore.session.Session(profile=profile)

    @property
    def _profile(self) -> str:
        return botocore_faults.profile_of(self._session)

    def settings(self) -> "Section":
        """Return the profile's settings, from files that only botocore can read.

        Raises:
            ClientError: the profile is unknown, or botocore cannot read the files either.
        """
        with self._explained():
            settings: Section = self._session.get_scoped_config()
        return settings

    def credentials(self, region: str) -> Credentials:
        """Return what botocore's chain finds, asking people and services as it must.

        Raises:
            ClientError: there are none, or the place they come from refused or failed.
        """
        # botocore itself does not read AWS_REGION.
        self._session.set_config_variable("region", region)
        with self._explained():
            found = self._session.get_credentials()
            if found is None:
                raise ClientError(botocore_faults.none_found(self._profile))
            frozen = found.get_frozen_credentials()
            # No public name tells when they end; the AWS CLI reads this one too.
            end = getattr(found, "_expiry_time", None)
        return Credentials(
            frozen.access_key,
            frozen.secret_key,
            frozen.token,
            expiration=end.timestamp() if end else None,
            source=botocore_faults.source(found.method, self._profile),
        )

    def assume_role(
        self,
        caller: Credentials,
        role_arn: str,
        *,
        region: str,
        external_id: str | None = None,
        session_name: str | None = None,
        forward_session_name: bool = False,
    ) -> Credentials:
        """Return temporary credentials of a role.

        Args:
            caller: who asks for the role.
            role_arn: the role.
            region: whose STS endpoint to ask.
            external_id: what the role's trust policy may demand.
            session_name: names the session.
            forward_session_name: name it as the caller's own session is named, if it is one.

        Raises:
            ClientError: an argument cannot be right, or STS refused or could not be reached.
        """
        if not _ROLE_ARN.fullmatch(role_arn):
            raise ClientError(
                f"{role_arn!r} is not the ARN of a role; give --role (or DEFAULT_ROLE) one such as"
                " arn:aws:iam::111122223333:role/NAME"
            )
        if session_name and not _SESSION_NAME.fullmatch(session_name):
            raise ClientError(
                f"the session name {session_name!r} is not one AWS takes; use 2 to 64 letters,"
                " digits and _+=,.@- in --session-name"
            )
        with self._explained(f"assume {role_arn} with the credentials from {caller.source}"):
            sts = self._session.create_client(
                "sts",
                region_name=region,
                aws_access_key_id=caller.access_key,
                aws_secret_access_key=caller.secret_key,
                aws_session_token=caller.session_token,
            )
            if forward_session_name:
                user_id = sts.get_caller_identity()["UserId"]
                session_name = user_id.partition(":")[2]
            request = {
                "RoleArn": role_arn,
                "RoleSessionName": session_name or _DEFAULT_SESSION_NAME,
            }
            if external_id:
                request["ExternalId"] = external_id
            answer = sts.assume_role(**request)["Credentials"]
        return Credentials(
            answer["AccessKeyId"],
            answer["SecretAccessKey"],
            answer["SessionToken"],
            expiration=answer["Expiration"].timestamp(),
            source=f"the role {role_arn}",
        )

    @contextmanager
    def _explained(self, doing: str = "get credentials") -> Iterator[None]:
        """Turn botocore's errors into ours."""
        try:
            yield
        except botocore_faults.FOREIGN_ERRORS as error:
            raise ClientError(
                botocore_faults.explain(error, doing=doing, session=self._session)
            ) from error
