"""The calls to Amazon EKS about access entries, with botocore; errors become one clear line.

botocore retries what may pass, and slows down all threads when EKS throttles (its retry mode
`adaptive`). It gives each create and update an idempotency token, which its retries repeat.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

from authenticator.admin.stores.base import StoreError
from authenticator.editing.access_entries import normal
from authenticator.editing.editor import Editor
from authenticator.editing.formats import eks_types

Item = TypeVar("Item")
Result = TypeVar("Result")

_ATTEMPTS = 10
_TIMEOUT_SECONDS = 15
# EKS allows few calls a second for each account, so that more threads would only be throttled.
_THREADS = 10
_MOST_CHARACTERS = 300
NOT_FOUND = "ResourceNotFoundException"
IN_USE = "ResourceInUseException"
_DENIED = ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation")
_THROTTLED = ("Throttling", "ThrottlingException", "TooManyRequestsException", "SlowDown")
# Messages about signatures repeat the signed request with its session token; these do not.
_QUOTED = frozenset(
    {
        *(NOT_FOUND, IN_USE, "InvalidParameterException", "InvalidRequestException"),
        *("ResourceLimitExceededException", "ClientException", "ServerException"),
        *("BadRequestException", "NotFoundException"),
    }
)


class EksError(StoreError):
    """A call failed. The message names the call, the reason and the remedy.

    Attributes:
        code: what AWS calls the error; "" if no answer came.
        repeated: whether botocore had sent the call before, so that it may have been made.
    """

    def __init__(self, text: str, code: str = "", *, repeated: bool = False) -> None:
        super().__init__(text)
        self.code = code
        self.repeated = repeated


@dataclass(frozen=True, slots=True)
class FoundEntry:
    """An access entry.

    Attributes:
        arn: its own ARN, which is for tags.
        object: as `AccessEntries` has it.
    """

    arn: str
    object: Mapping[str, Any]


class EksApi:
    """Access entries of one cluster.

    Args:
        cluster: its name.
        region: its Region; "" for that of the profile or the environment.
        profile: of the AWS configuration; "" for the default.
    """

    def __init__(self, cluster: str, region: str = "", profile: str = "") -> None:
        self._cluster = cluster
        self._region = region
        self._profile = profile

    @cached_property
    def described(self) -> Mapping[str, Any]:
        """The answer of DescribeCluster; EksError if there is none."""
        found: Mapping[str, Any] = self._call("describe_cluster", name=self._cluster)["cluster"]
        return found

    @property
    def mode(self) -> str:
        """The authentication mode of the cluster."""
        config = self.described.get("accessConfig") or {}
        return str(config.get("authenticationMode", "CONFIG_MAP"))

    def editor(self) -> Editor:
        """Return who the AWS credentials belong to; EksError if STS does not say."""
        client = self._client_of("sts")
        found = _sent("sts:GetCallerIdentity", client.get_caller_identity)
        return Editor(found["Arn"], arn=found["Arn"], user_id=found["UserId"])

    def entries(self) -> dict[str, FoundEntry]:
        """Return all access entries by the ARN of their principal."""
        arns = list(self._pages("list_access_entries", "accessEntries"))
        found = zip(arns, self.parallel(self.entry, arns), strict=True)
        # One that is gone was removed since the list was made.
        return {arn: entry for arn, entry in found if entry is not None}

    def entry(self, principal: str) -> FoundEntry | None:
        """Return one access entry with its policies; None if there is none."""
        try:
            values = self._on("describe_access_entry", principal)["accessEntry"]
            policies: list[Any] = []
            kind = values.get("type", eks_types.STANDARD)
            # The others cannot have policies, except that a new type may.
            if kind in eks_types.WITH_POLICIES or eks_types.grants(kind) is None:
                key = "associatedAccessPolicies"
                pages = self._pages("list_associated_access_policies", key, principalArn=principal)
                policies = list(pages)
        except EksError as error:
            if error.code == NOT_FOUND:
                return None
            raise
        return FoundEntry(str(values.get("accessEntryArn", "")), normal(values, policies))

    def create(self, principal: str, obj: Mapping[str, Any]) -> None:
        """Create an access entry, without its policies."""
        keys = ("type", "username", "kubernetesGroups", "tags")
        values = {key: obj[key] for key in keys if obj.get(key)}
        self._on("create_access_entry", principal, **values)

    def update(self, principal: str, obj: Mapping[str, Any]) -> None:
        """Set the username and the groups."""
        groups = list(obj.get("kubernetesGroups", ()))
        self._on(
            "update_access_entry",
            principal,
            username=obj.get("username", ""),
            kubernetesGroups=groups,
        )

    def delete(self, principal: str) -> None:
        """Delete an access entry with its policies."""
        self._on("delete_access_entry", principal)

    def associate(self, principal: str, association: Mapping[str, Any]) -> None:
        """Associate a policy, or give it another scope."""
        self._on("associate_access_policy", principal, **association)

    def disassociate(self, principal: str, policy_arn: str) -> None:
        """Take a policy away."""
        self._on("disassociate_access_policy", principal, policyArn=policy_arn)

    def retag(self, arn: str, before: Mapping[str, str], after: Mapping[str, str]) -> None:
        """Set and remove the tags that differ, of the access entry with this ARN."""
        if new := {key: value for key, value in after.items() if before.get(key) != value}:
            self._call("tag_resource", resourceArn=arn, tags=new)
        if gone := [key for key in before if key not in after]:
            self._call("untag_resource", resourceArn=arn, tagKeys=gone)

    def parallel(self, function: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
        """Call a function for each item in a few threads; the first error ends the rest."""
        _ = self._client  # it is made in this thread, since that is not safe in several
        with ThreadPoolExecutor(_THREADS, thread_name_prefix="eks") as pool:
            futures = [pool.submit(function, item) for item in items]
            try:
                return [future.result() for future in futures]
            finally:
                for future in futures:
                    future.cancel()

    def _on(self, operation: str, principal: str, **values: Any) -> Any:
        return self._call(operation, clusterName=self._cluster, principalArn=principal, **values)

    def _pages(self, operation: str, key: str, **values: Any) -> Iterator[Any]:
        token: dict[str, str] = {}
        while True:
            page = self._call(operation, clusterName=self._cluster, **values, **token)
            yield from page[key]
            if not page.get("nextToken"):
                return
            token = {"nextToken": page["nextToken"]}

    def _call(self, operation: str, **values: Any) -> Any:
        action = "".join(part.capitalize() for part in operation.split("_"))
        client = self._client
        return _sent(f"eks:{action}", lambda: getattr(client, operation)(**values))

    @cached_property
    def _client(self) -> Any:
        return self._client_of("eks")

    @cached_property
    def _session(self) -> Any:
        # It takes 0.1 s, which other sources need not wait for.
        import botocore.session  # noqa: PLC0415

        return botocore.session.Session(profile=self._profile or None)

    def _client_of(self, service: str) -> Any:
        from botocore.config import Config  # noqa: PLC0415

        config = Config(
            retries={"mode": "adaptive", "total_max_attempts": _ATTEMPTS},
            connect_timeout=_TIMEOUT_SECONDS,
            read_timeout=_TIMEOUT_SECONDS,
            max_pool_connections=_THREADS,
        )
        return _sent(
            f"the client of {service}",
            lambda: self._session.create_client(
                service, region_name=self._region or None, config=config
            ),
        )


def _sent(action: str, call: Callable[[], Any]) -> Any:
    """Make a call; EksError if it fails."""
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

    try:
        return call()
    except ClientError as error:
        raise _refused(action, error.response) from error
    except BotoCoreError as error:
        raise EksError(f"{action}: {_line(str(error))}{_remedy(type(error).__name__)}") from error


def _refused(action: str, response: Mapping[str, Any]) -> EksError:
    found = response.get("Error") or {}
    code, message = str(found.get("Code", "")), str(found.get("Message", ""))
    repeated = bool((response.get("ResponseMetadata") or {}).get("RetryAttempts"))
    if code in _DENIED:
        text = f"{code}: the IAM permission {action} is missing or denied; ask for it"
    elif code in _THROTTLED:
        text = f"{code} after {_ATTEMPTS} attempts; run the same command again later"
    elif code in _QUOTED:
        text = f"{code}: {_line(message)}"
    else:
        text = f"{code or 'no code'}; check the credentials with 'aws sts get-caller-identity'"
    return EksError(f"{action}: {text}", code, repeated=repeated)


def _remedy(name: str) -> str:
    """Return what to do about an error of botocore, by its class."""
    return {
        "NoRegionError": " Pass --region",
        "ProfileNotFound": " Name one of 'aws configure list-profiles' with --profile",
        "NoCredentialsError": "; configure them as for the AWS CLI, or pass --profile",
    }.get(name, "")


def _line(text: str) -> str:
    return " ".join(text.split())[:_MOST_CHARACTERS]
