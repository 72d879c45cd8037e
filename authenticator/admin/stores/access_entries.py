"""Mappings in the access entries of an EKS cluster; their history is kept on this machine."""

from __future__ import annotations

import shlex
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import cached_property, partial
from typing import Any

from authenticator.admin.stores.base import Cautions, Conflict, Snapshot, StoreError
from authenticator.admin.stores.eks_api import IN_USE, NOT_FOUND, EksApi, EksError, FoundEntry
from authenticator.admin.stores.history import History
from authenticator.admin.stores.local_history import LocalHistory, directory
from authenticator.editing.access_entries import AccessEntries, least_first
from authenticator.editing.documents import Document
from authenticator.editing.editor import Editor

_CONFIG_MAP = "CONFIG_MAP"
_BOTH = "API_AND_CONFIG_MAP"
# In seconds: EKS is eventually consistent, so that the next command could miss this one's edit.
_SETTLED_WITHIN = 10.0
_FIRST_PAUSE = 0.05
_Objects = Mapping[str, Mapping[str, Any]]


class AccessEntriesStore:
    """`Store` of the access entries of one cluster.

    Args:
        cluster: its name.
        region: its Region; "" for that of the profile or the environment.
        profile: of the AWS configuration; "" for the default.
    """

    has_server = False
    server_warnings = ()

    def __init__(self, cluster: str, region: str = "", profile: str = "") -> None:
        self.title = f"access entries of EKS cluster {cluster}"
        given = {"cluster": cluster, "region": region, "profile": profile}
        flags = (f" --{name} {shlex.quote(value)}" for name, value in given.items() if value)
        self.flags = f" --source eks{''.join(flags)}"
        self._name = cluster
        self._api = EksApi(cluster, region, profile)
        self._editor = "unknown"
        self._latest: Snapshot | None = None

    def editor(self) -> Editor:
        """Return who the AWS credentials belong to; see `Store.editor`."""
        found = self._api.editor()
        self._editor = found.username
        return found

    def read(self) -> Snapshot:
        """See `Store.read`."""
        if self._api.mode == _CONFIG_MAP:
            raise StoreError(
                f"{self.title}: the authentication mode of the cluster is {_CONFIG_MAP}, which"
                f" ignores access entries; allow them with: aws eks update-cluster-config --name"
                f" {self._name} --access-config authenticationMode={_BOTH} (this cannot be"
                " reverted), or edit aws-auth with --source configmap"
            )
        found = self._api.entries()
        document = AccessEntries({arn: entry.object for arn, entry in found.items()})
        self._latest = Snapshot(document, found)
        return self._latest

    def cautions(self, snapshot: Snapshot, document: Document, *, moving: bool) -> Cautions:  # noqa: ARG002
        """See `Store.cautions`."""
        gone = [arn for arn in snapshot.document.texts if arn not in document.texts]
        if not gone or self._api.mode != _BOTH:
            return Cautions()
        warning = (
            f"the cluster also reads aws-auth ({_BOTH}): a mapping there applies again to a"
            " principal without an access entry"
        )
        return Cautions(warnings=(warning,))

    def write(self, snapshot: Snapshot, document: Document, *, dry_run: bool = False) -> None:
        """See `Store.write`. Removals come last, so that every caller keeps access meanwhile.

        Each access entry is read again before it is written. The journal of the history has
        the edit before the first call.
        """
        if dry_run:
            raise StoreError(f"{self.title}: EKS cannot check a write without making it")
        before = self.restored(snapshot.document.texts).objects
        after = self.restored(document.texts).objects
        changed = [arn for arn in after if before.get(arn) != after[arn]]
        changed += [arn for arn in before if arn not in after]
        texts = snapshot.document.texts
        self._local.begin(self._editor, {arn: texts.get(arn, "") for arn in changed})
        writing = _Writing(self._api, snapshot.version)
        try:
            for arn in changed:
                writing.write(arn, before.get(arn), after.get(arn))
        except (Conflict, StoreError) as error:
            if not writing.calls:
                self._local.cancel()
            raise self._partial(error, writing, len(changed)) from error
        except BaseException:
            # The journal stays, for the next command to find what was made.
            self._local.abandon()
            raise
        self._settle({arn: after.get(arn) for arn in changed})

    def restored(self, texts: Mapping[str, str]) -> AccessEntries:
        """See `Store.restored`."""
        try:
            return AccessEntries.from_texts(texts)
        except (ValueError, RecursionError) as error:
            raise StoreError(f"{self.title}: {error}") from error

    def history(self) -> History:
        """See `Store.history`. A version's texts are put together when they are asked for."""

        def now() -> Mapping[str, str]:
            return (self._latest or self.read()).document.texts

        later: Callable[[], Mapping[str, str]] = now
        versions = []
        for version in reversed(self._local.read().versions):
            texts = _Before(later, version.texts)
            versions.append(replace(version, texts=texts))
            later = texts.whole
        return History(tuple(reversed(versions)))

    def remember(self, change: Callable[[History], History]) -> None:
        """See `Store.remember`. The journal that `write` made becomes a version."""
        version = change(History(max_bytes=sys.maxsize)).versions[-1]
        self._local.finish(version.edit)

    @cached_property
    def _local(self) -> LocalHistory:
        return LocalHistory(directory(), str(self._api.described["arn"]))

    def _partial(
        self, error: Conflict | StoreError, writing: _Writing, total: int
    ) -> Conflict | StoreError:
        """Return the error of a write that ended early: what was done, and how to resume."""
        found: Conflict | StoreError = Conflict()
        if isinstance(error, StoreError):
            done = ""
            if writing.calls:
                done = (
                    f" ({writing.whole} of {total} access entries were written before; the last"
                    f" call: {writing.done}; run the same command again for the rest)"
                )
            found = StoreError(f"{self.title}: {writing.arn} cannot be written{done}: {error}")
        found.partly = writing.calls > 0
        return found

    def _settle(self, wanted: Mapping[str, Mapping[str, Any] | None]) -> None:
        """Wait until EKS shows what was written, or long enough."""
        end, wait = time.monotonic() + _SETTLED_WITHIN, _FIRST_PAUSE
        arns = list(wanted)
        while arns:
            try:
                entries = self._api.parallel(self._api.entry, arns)
            except EksError:
                return  # the edit has been made all the same
            found = zip(arns, entries, strict=True)
            arns = [arn for arn, entry in found if _object(entry) != wanted[arn]]
            if not arns or time.monotonic() > end:
                return
            time.sleep(wait)
            wait = min(wait * 2, 1.0)


class _Writing:
    """The calls of one edit.

    Attributes:
        calls: how many have changed something, or may have.
        done: the last of them, for people; "" for none.
        arn: the access entry that is being written.
        whole: how many access entries have been written.
    """

    def __init__(self, api: EksApi, found: Mapping[str, FoundEntry]) -> None:
        self._api = api
        self._found = found
        self.calls = 0
        self.done = ""
        self.arn = ""
        self.whole = 0

    def write(
        self, arn: str, before: Mapping[str, Any] | None, after: Mapping[str, Any] | None
    ) -> None:
        """Make one access entry what it is to be; the least privilege first.

        Raises:
            Conflict: it is not what it was when it was read.
            EksError: a call failed.
        """
        self.arn = arn
        self._write(arn, before, after)
        self.whole += 1

    def _write(
        self, arn: str, before: Mapping[str, Any] | None, after: Mapping[str, Any] | None
    ) -> None:
        if _object(self._api.entry(arn)) != before:
            raise Conflict
        if before is not None and (after is None or after["type"] != before["type"]):
            self._delete(arn)
            before = None
        if after is None:
            return
        if before is None:
            self._call("created", lambda: self._api.create(arn, after))
            # Tags are given at once.
            before = {key: value for key, value in after.items() if key != "accessPolicies"}
        elif _names(before) != _names(after):
            self._call("updated", lambda: self._api.update(arn, after))
        self._policies(arn, before.get("accessPolicies", ()), after.get("accessPolicies", ()))
        if before.get("tags") != after.get("tags"):
            own = self._found[arn].arn
            tags = before.get("tags", {}), after.get("tags", {})
            self._call("tagged", lambda: self._api.retag(own, *tags))

    def _policies(self, arn: str, before: Any, after: Any) -> None:
        for one in least_first(after):
            if one not in before:
                policy = _policy_name(one)
                self._call(f"associated {policy}", partial(self._api.associate, arn, one))
        kept = [one["policyArn"] for one in after]
        for one in before:
            if one["policyArn"] not in kept:
                self._call(
                    f"disassociated {_policy_name(one)}",
                    partial(self._api.disassociate, arn, one["policyArn"]),
                )

    def _delete(self, arn: str) -> None:
        try:
            self._call("deleted", lambda: self._api.delete(arn))
        except Conflict as error:
            cause = error.__cause__
            if not (isinstance(cause, EksError) and cause.repeated):
                raise
            self.calls += 1  # the first attempt deleted it, and its answer was lost

    def _call(self, words: str, call: Callable[[], None]) -> None:
        try:
            call()
        except EksError as error:
            # Someone else was faster, or what was read was an older state.
            if error.code in (NOT_FOUND, IN_USE):
                raise Conflict from error
            if not error.code:
                self.calls += 1  # without an answer, it may have been made
                self.done = f"{words} {self.arn}, without an answer"
            raise
        self.calls += 1
        self.done = f"{words} {self.arn}"


class _Before(Mapping[str, str]):
    """The texts before an edit: those after it, with what the edit touched as it was."""

    def __init__(self, later: Callable[[], Mapping[str, str]], touched: Mapping[str, str]) -> None:
        self._later = later
        self._touched = touched

    def whole(self) -> Mapping[str, str]:
        """Return all texts."""
        return self._whole

    @cached_property
    def _whole(self) -> Mapping[str, str]:
        found = {**self._later(), **self._touched}
        return {arn: found[arn] for arn in sorted(found) if found[arn]}

    def __getitem__(self, key: str) -> str:
        return self._whole[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._whole)

    def __len__(self) -> int:
        return len(self._whole)


def _object(found: FoundEntry | None) -> Mapping[str, Any] | None:
    return found.object if found else None


def _names(obj: Mapping[str, Any]) -> tuple[Any, Any]:
    return obj.get("username"), obj.get("kubernetesGroups", [])


def _policy_name(association: Mapping[str, Any]) -> str:
    return str(association["policyArn"]).rpartition("/")[2]
