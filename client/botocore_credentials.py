"""Credentials that take more than reading: roles, SSO, web identity, processes, metadata.

botocore knows how; this module asks it and turns what goes wrong into words that help. Importing
it costs a fifth of a second, so only a token that needs it does.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import botocore.awsrequest
import botocore.config
import botocore.configprovider
import botocore.httpsession
import botocore.session
import botocore.utils

from . import botocore_chain, botocore_faults, proxy
from .credentials import Credentials
from .errors import ClientError
from .profiles import profile_of

if TYPE_CHECKING:
    from .profiles import Section
    from .roles import Role

_DEFAULT_SESSION_NAME = "aws-iam-authenticator"

# A person waits: botocore's own bounds are a minute for each of five attempts.
_CONNECT_SECONDS = 3
_READ_SECONDS = 10
_ATTEMPTS = 3


class BotocoreSession:
    """botocore's view of one profile, or of the environment when none is named."""

    def __init__(self, profile: str | None) -> None:
        self._session: Any = botocore.session.Session(profile=profile)
        if profile is None:
            # botocore prefers AWS_DEFAULT_PROFILE, and takes an empty AWS_PROFILE for a name.
            chosen = botocore.configprovider.ConstantProvider(profile_of(os.environ))
            self._session.get_component("config_store").set_config_provider("profile", chosen)
        self._bounded = False
        _choose_proxies(self._session)

    @property
    def _profile(self) -> str:
        return botocore_faults.profile_of(self._session)

    @property
    def _profiles(self) -> Mapping[str, Mapping[str, str]]:
        found: Mapping[str, Mapping[str, str]] = self._session.full_config.get("profiles", {})
        return found

    def settings(self) -> "Section":
        """Return the profile's settings, from files that only botocore can read.

        Raises:
            ClientError: the profile is unknown, or botocore cannot read the files either.
        """
        with self._explained():
            settings: Section = self._session.get_scoped_config()
        return settings

    def credentials(self, region: str, *, region_named: bool = True) -> Credentials:
        """Return what botocore's chain finds, asking people and services as it must.

        Args:
            region: whose endpoints to ask.
            region_named: whether the Region was chosen. If not, an instance's credentials come
                with the Region that its metadata names.

        Raises:
            ClientError: there are none, or the place they come from refused or failed.
        """
        own_region = ""
        with self._explained():
            if not region_named and botocore_chain.uses_instance(self._profiles, self._profile):
                own_region = botocore_chain.instance_region(self._session)
            # botocore itself does not read AWS_REGION.
            self._session.set_config_variable("region", own_region or region)
            self._bound_waits()
            found = botocore_chain.resolver(self._session, own_region or region).load_credentials()
            if found is None:
                raise ClientError(botocore_faults.none_found(self._profile))
            # No public name tells when they end; the AWS CLI reads this one too.
            end = getattr(found, "_expiry_time", None)
            if end is not None and end.tzinfo is None:
                raise ClientError(botocore_faults.no_zone(self._profile))
            frozen = found.get_frozen_credentials()
            if not region_named and found.method == botocore_chain.INSTANCE:
                own_region = botocore_chain.instance_region(self._session)
            # They may have been refreshed.
            end = getattr(found, "_expiry_time", None)
        return Credentials(
            frozen.access_key,
            frozen.secret_key,
            frozen.token,
            expiration=end.timestamp() if end else None,
            source=botocore_faults.source(found.method, self._profile),
            keep=botocore_chain.is_keyed(found.method, self._profiles, self._profile),
            region=own_region,
        )

    def assume_role(self, caller: Credentials, role: "Role", *, region: str) -> Credentials:
        """Return temporary credentials of a role.

        Args:
            caller: who asks for the role.
            role: the role, and how to assume it.
            region: whose STS endpoint to ask.

        Raises:
            ClientError: STS refused or could not be reached.
        """
        with self._explained(f"assume {role.arn} with the credentials from {caller.source}"):
            sts = self.client("sts", caller, region=caller.region or region)
            session_name = role.session_name
            if role.forward_session_name:
                session_name = sts.get_caller_identity()["UserId"].partition(":")[2]
            request: dict[str, str | int] = {
                "RoleArn": role.arn,
                "RoleSessionName": session_name or _DEFAULT_SESSION_NAME,
            }
            if role.external_id:
                request["ExternalId"] = role.external_id
            if role.duration:
                request["DurationSeconds"] = role.duration
            answer = sts.assume_role(**request)["Credentials"]
        return Credentials(
            answer["AccessKeyId"],
            answer["SecretAccessKey"],
            answer["SessionToken"],
            expiration=answer["Expiration"].timestamp(),
            source=f"the role {role.arn}",
            keep=caller.keep,
            region=caller.region,
        )

    def call(
        self,
        service: str,
        operation: str,
        caller: Credentials,
        *,
        region: str,
        **parameters: object,
    ) -> Any:
        """Return what AWS answers to one call.

        Args:
            service: as botocore names it, such as ``sts``.
            operation: the client's method, such as ``get_caller_identity``.
            caller: who asks.
            region: whose endpoint to ask.
            parameters: those of the operation.

        Raises:
            ClientError: AWS refused, or could not be reached.
        """
        with self._explained(
            f"call {service}:{operation} with the credentials from {caller.source}"
        ):
            return getattr(self.client(service, caller, region=region), operation)(**parameters)

    def client(self, service: str, caller: Credentials, *, region: str) -> Any:
        """Return a client of a service with short bounds on its waits."""
        self._bound_waits()
        return self._session.create_client(
            service,
            region_name=region,
            aws_access_key_id=caller.access_key,
            aws_secret_access_key=caller.secret_key,
            aws_session_token=caller.session_token,
        )

    def fetch(
        self, url: str, headers: Mapping[str, str], body: bytes | None = None
    ) -> tuple[int, Mapping[str, str], bytes]:
        """Return status, headers and body of what a host answers to a GET, or to a POST of a body.

        Raises:
            ClientError: it could not be reached.
        """
        host = urlsplit(url).hostname or ""
        http = botocore.httpsession.URLLib3Session(
            timeout=(_CONNECT_SECONDS, _READ_SECONDS),
            proxies=proxy.for_botocore(url),
            verify=self._session.get_config_variable("ca_bundle") or True,
        )
        with self._explained(f"reach {host}"):
            method = "GET" if body is None else "POST"
            request = botocore.awsrequest.AWSRequest(method, url, headers=dict(headers), data=body)
            answer = http.send(request.prepare())
        return answer.status_code, answer.headers, answer.content

    def _bound_waits(self) -> None:
        if self._bounded:
            return
        attempts = self._session.get_config_variable("max_attempts") or _ATTEMPTS
        self._session.set_default_client_config(
            botocore.config.Config(
                connect_timeout=_CONNECT_SECONDS,
                read_timeout=_READ_SECONDS,
                retries={"total_max_attempts": int(attempts)},
            )
        )
        self._bounded = True

    @contextmanager
    def _explained(self, doing: str = "get credentials") -> Iterator[None]:
        """Turn botocore's errors into ours."""
        try:
            yield
        except botocore_faults.FOREIGN_ERRORS as error:
            raise ClientError(
                botocore_faults.explain(error, doing=doing, session=self._session)
            ) from error


def _choose_proxies(session: Any) -> None:
    """Have the session's clients use the proxies of `proxy.for_url`; botocore has another rule."""
    create = session.create_client

    def create_client(service_name: str, *args: Any, config: Any = None, **kwargs: Any) -> Any:
        made = create(service_name, *args, config=config, **kwargs)
        url = made.meta.endpoint_url
        proxies = proxy.for_botocore(url)
        if proxies == proxy.as_botocore_reads(botocore.utils.get_environ_proxies(url), url):
            return made
        # Rare, so that the time for a second client does not matter; the first has the endpoint.
        ours = botocore.config.Config(proxies=proxies)
        config = ours if config is None else config.merge(ours)
        return create(service_name, *args, config=config, **kwargs)

    session.create_client = create_client
