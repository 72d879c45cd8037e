"""The private DNS name of the EC2 instance that a caller is, for `{{EC2PrivateDNSName}}`.

EC2 names the session of an instance's role after the instance. That is all there is to go by: who
else may assume the role may name another instance, which no lookup can tell (docs/mappings.md says
how to close that: a trust policy for ec2.amazonaws.com alone).
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable

from authenticator.aws.arns import CallerIdentity, PrincipalKind
from authenticator.aws.batching import Batcher
from authenticator.aws.ec2 import Instance
from authenticator.errors import NamesUnavailable, UnknownUser

_LOG = logging.getLogger(__name__)
_INSTANCE_ID = re.compile(r"i-(?:[0-9a-f]{8}|[0-9a-f]{17})", re.ASCII)
# A name never changes; that the instance still exists is asked again.
_KEPT_SECONDS = 900.0
_KEPT_MOST = 20_000
# The API server gives up after 30 s, and STS may have taken 10.
_WAIT_SECONDS = 8.0


class InstanceNames:
    """Finds the names of instances; see `authenticator.login.NamesInstances`.

    Belongs to one event loop.
    """

    def __init__(self, batcher: Batcher[Instance], clock: Callable[[], float]) -> None:
        """Prepare.

        Args:
            batcher: looks up instances.
            clock: seconds that never go back.
        """
        self._batcher = batcher
        self._clock = clock
        self._kept: dict[str, tuple[float, Instance]] = {}

    async def __call__(self, identity: CallerIdentity) -> str:
        """Return the private DNS name of the instance that `identity` is a session of; never empty.

        Raises:
            UnknownUser: the session is no instance's, or not one of the caller's account that
                carries an instance profile.
            NamesUnavailable: EC2 could not be asked, or does not know the name yet.
        """
        session = identity.arn.session
        if identity.claims is not None:
            # AWS states it, and the caller cannot choose it.
            session = identity.claims.instance_id
            if not session:
                raise UnknownUser("the token is not of an instance of its account: no node")
        elif identity.arn.kind is not PrincipalKind.ASSUMED_ROLE or not _is_id(session):
            # Without the account, which may be one that no log shall show.
            _LOG.warning(
                "the role %s is mapped to a node, and its session is no instance id: somebody"
                " other than EC2 can assume it",
                identity.arn.name,
            )
            raise UnknownUser("the session name is no instance id, so this is no node")
        instance = await self._instance(session)
        if instance is None or instance.account_id != identity.arn.account_id:
            raise UnknownUser("the caller's account has no instance of this id here")
        if not instance.has_profile:
            raise UnknownUser("the instance has no instance profile, so it has no role")
        if not instance.private_dns_name:
            raise NamesUnavailable("the instance has no private DNS name yet")
        return instance.private_dns_name

    def stop(self) -> None:
        """End the threads of the lookups."""
        self._batcher.stop()

    async def _instance(self, instance_id: str) -> Instance | None:
        now = self._clock()
        kept_at, instance = self._kept.get(instance_id, (0.0, None))
        if instance is not None and now - kept_at < _KEPT_SECONDS:
            return instance
        try:
            instance = await self._batcher.get(instance_id, _WAIT_SECONDS)
        except TimeoutError as error:
            raise NamesUnavailable("EC2 gave no answer in time") from error
        # What is still to come, a name or a profile, is asked for again.
        if instance is not None and instance.private_dns_name and instance.has_profile:
            self._keep(instance_id, instance, now)
        return instance

    def _keep(self, instance_id: str, instance: Instance, now: float) -> None:
        self._kept.pop(instance_id, None)
        self._kept[instance_id] = (now, instance)
        if len(self._kept) > _KEPT_MOST:
            # The oldest: what is kept again goes to the end.
            del self._kept[next(iter(self._kept))]


def _is_id(text: str) -> bool:
    return _INSTANCE_ID.fullmatch(text) is not None
