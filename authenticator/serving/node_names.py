"""The names of EC2 instances, looked up with the server's own settings.

botocore is imported when the first node logs in: clusters whose nodes come otherwise do not pay
for it.
"""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

from authenticator.elapsed import elapsed
from authenticator.settings import Settings

if TYPE_CHECKING:
    from authenticator.aws.arns import CallerIdentity
    from authenticator.serving.metrics import Metrics


class NodeNames:
    """`authenticator.login.NamesInstances`, made when it is first needed."""

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self._settings = settings
        self._metrics = metrics
        self._lock = threading.Lock()
        self._names: Any = None

    async def __call__(self, identity: CallerIdentity) -> str:
        """Return the private DNS name of the caller's instance; see `NamesInstances`."""
        # The import takes half a second, which other logins need not wait for.
        names = self._names or await asyncio.to_thread(self._make)
        name: str = await names(identity)
        return name

    def stop(self) -> None:
        """Stop looking up."""
        with self._lock:
            if self._names is not None:
                self._names.stop()

    def _make(self) -> Any:
        with self._lock:
            if self._names is None:
                self._names = self._made()
            return self._names

    def _made(self) -> Any:
        from authenticator.aws.batching import Batcher, Turns  # noqa: PLC0415 (see above)
        from authenticator.aws.ec2 import MAX_IDS, Ec2  # noqa: PLC0415
        from authenticator.aws.instance_names import InstanceNames  # noqa: PLC0415

        settings = self._settings
        ec2 = Ec2(
            role_arn=settings.ec2_describe_instances_role_arn,
            source_arn=settings.source_arn,
            called=self._metrics.ec2_called,
        )
        # Each worker has its part of the rate that the operator allows.
        turns = Turns(
            settings.ec2_describe_instances_qps / settings.workers,
            max(1, settings.ec2_describe_instances_burst // settings.workers),
            elapsed,
        )
        batcher = Batcher(ec2.describe, turns, size=MAX_IDS, callers=2)
        return InstanceNames(batcher, elapsed)
