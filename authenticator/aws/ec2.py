"""ec2:DescribeInstances through botocore, in the form that no single bad id can fail."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import botocore.session
from botocore.config import Config
from botocore.credentials import AssumeRoleCredentialFetcher, DeferredRefreshableCredentials
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError
from botocore.utils import IMDSRegionProvider

from authenticator.aws.proxy import Proxies
from authenticator.errors import NamesUnavailable

# A filter takes 200 values, and * and ? in them are wildcards (EC2 API, DescribeInstances).
MAX_IDS = 200
_PAGES = 5
# Retrying is up to the caller of the webhook: a login has seconds, and quotas are shared.
_CONFIG = Config(connect_timeout=2, read_timeout=5, retries={"total_max_attempts": 1})


@dataclass(frozen=True, slots=True)
class Instance:
    """What EC2 says of an instance.

    Attributes:
        account_id: the account that it runs in.
        private_dns_name: its private DNS name; "" while it starts.
        has_profile: whether it carries an instance profile, and so can have a role's session.
    """

    account_id: str
    private_dns_name: str
    has_profile: bool


class Ec2:
    """The EC2 API of the server's own Region."""

    def __init__(self, *, role_arn: str, source_arn: str, called: Callable[[], None]) -> None:
        """Prepare; credentials and Region are found at the first call.

        Args:
            role_arn: the role to assume for the calls; "" for the server's own credentials.
            source_arn: the resource on whose behalf the role is assumed; "" for none.
            called: told of each call.
        """
        self._role_arn = role_arn
        self._source_arn = source_arn
        self._called = called
        self._lock = threading.Lock()
        self._client: Any = None

    def describe(self, ids: Sequence[str]) -> Mapping[str, Instance]:
        """Look up instances; those that do not exist are left out.

        Args:
            ids: at most `MAX_IDS` valid instance ids.

        Raises:
            NamesUnavailable: EC2 could not be asked.
        """
        request: dict[str, Any] = {
            "Filters": [{"Name": "instance-id", "Values": list(ids)}],
            "MaxResults": 1000,
        }
        found: dict[str, Instance] = {}
        try:
            client = self._connected()
            for _ in range(_PAGES):
                self._called()
                page = client.describe_instances(**request)
                found |= _instances(page)
                if not page.get("NextToken"):
                    break
                request["NextToken"] = page["NextToken"]
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "an unknown error")
            raise NamesUnavailable(f"EC2 DescribeInstances answered {code}") from error
        except ResponseParserError as error:
            raise NamesUnavailable("the answer of EC2 cannot be read") from error
        except BotoCoreError as error:
            raise NamesUnavailable(f"EC2 cannot be asked: {error}") from error
        return found

    def _connected(self) -> Any:
        with self._lock:
            if self._client is None:
                session = botocore.session.get_session()
                if self._role_arn:
                    # As boto3's users do: no public way sets credentials that refresh.
                    session._credentials = self._assumed(session)
                client = session.create_client("ec2", _region(session), config=_CONFIG)
                _check_proxy(client.meta.endpoint_url)
                self._client = client
            return self._client

    def _assumed(self, session: Any) -> DeferredRefreshableCredentials:
        region = _region(session)
        own = session.get_credentials()
        if own is None:
            raise NamesUnavailable("there are no AWS credentials; give the server some for EC2")

        def create_client(service: str, **credentials: Any) -> Any:
            client = session.create_client(service, region, config=_CONFIG, **credentials)
            client.meta.events.register("before-call.sts.AssumeRole", self._name_source)
            return client

        fetcher = AssumeRoleCredentialFetcher(
            create_client,
            own,
            self._role_arn,
            extra_args={"RoleSessionName": "aws-iam-authenticator"},
        )
        return DeferredRefreshableCredentials(fetcher.fetch_credentials, "assume-role")

    def _name_source(self, params: dict[str, Any], **_: object) -> None:
        """Say for whom the role is assumed, so that its trust policy can insist on it.

        Source: AWS IAM User Guide, "The confused deputy problem".
        """
        if self._source_arn:
            params["headers"]["x-amz-source-arn"] = self._source_arn
            params["headers"]["x-amz-source-account"] = self._source_arn.split(":")[4]


def _check_proxy(url: str) -> None:
    """Refuse a SOCKS proxy: botocore would take its scheme for a host, and show its password."""
    host = urlsplit(url).hostname or ""
    proxy = Proxies.from_environment().for_host(host)
    if proxy is not None and proxy.is_socks:
        raise NamesUnavailable(
            "EC2 cannot be asked through the SOCKS proxy in HTTPS_PROXY; use a proxy with http://"
            f" or https://, or list {host} in NO_PROXY if it can be reached directly"
        )


def _region(session: Any) -> str:
    # botocore itself does not read AWS_REGION, which everything else does.
    region = os.environ.get("AWS_REGION") or session.get_config_variable("region")
    region = region or IMDSRegionProvider(session).provide()
    if not region:
        raise NamesUnavailable("the Region of EC2 is unknown; set AWS_REGION for the server")
    return str(region)


def _instances(page: Mapping[str, Any]) -> dict[str, Instance]:
    return {
        instance["InstanceId"]: Instance(
            account_id=str(reservation.get("OwnerId", "")),
            private_dns_name=str(instance.get("PrivateDnsName") or ""),
            has_profile=bool(instance.get("IamInstanceProfile")),
        )
        for reservation in page.get("Reservations", ())
        for instance in reservation.get("Instances", ())
    }
