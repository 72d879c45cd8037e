"""The verb `lint`: what is wrong with mappings in files and in the cluster, for people and CI."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import click

from authenticator import __version__
from authenticator.admin.connection import connect, connection_options
from authenticator.config import Loaded
from authenticator.display import printable
from authenticator.errors import ConfigError
from authenticator.lint import (
    RULES,
    Context,
    Document,
    Finding,
    Severity,
    documents_of_file,
    documents_of_object,
    lint,
)
from authenticator.lint.admission_webhook import KIND as WEBHOOKS_KIND
from authenticator.lint.explanations import explanation
from authenticator.lint.reports import as_data, as_github, as_sarif, counted
from authenticator.mapping.files import NAME, NAMESPACE
from authenticator.mapping.guards import Guard
from authenticator.mapping.problems import shortened
from authenticator.mapping.selectors import by_arn
from authenticator.modes import CRD, EKS_CONFIG_MAP
from authenticator.options import COMMAND, colour, command
from authenticator.sources.cluster import Cluster, ClusterError, Object
from authenticator.sources.crd_schema import API_VERSION, KIND, REMEDY, foreign, unknown_fields
from authenticator.sources.options import source_options

_CONFIG_MAP = f"/api/v1/namespaces/{NAMESPACE}/configmaps/{NAME}"
_IDENTITIES = f"/apis/{API_VERSION}/iamidentitymappings"
_WEBHOOKS = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"
_ABSENT = 404
_COLOURS = {Severity.ERROR: "red", Severity.WARNING: "yellow", Severity.NOTE: "cyan"}
_STDIN = "-"
_EVERY_RULE = "all"


class _RuleId(click.ParamType[str]):
    """The id of a rule, or `all`."""

    name = "rule"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the id, or say which one may be meant."""
        if value in RULES or (value == _EVERY_RULE and param and param.name == "explain"):
            return str(value)
        near = get_close_matches(value, RULES, 1)
        meant = f"did you mean {near[0]}? " if near else ""
        every = f"'{COMMAND} lint --explain all' lists them"
        return self.fail(f"there is no rule {value!r}; {meant}{every}", param, ctx)


@command(
    "lint",
    "Find what is wrong with mappings, or unlikely to be intended.\n\n"
    "FILE is a mapping file, a config file, or a manifest with ConfigMaps and IAMIdentityMappings;"
    " - is standard input. All that is given is taken to be in force together. Exit code: 0 if"
    " there is nothing as bad as --fail-on, 1 if there is, or if something cannot be read.",
    frozenset(),
    otherwise={"cluster_id": "none"},
)
@click.argument("files", nargs=-1, metavar="[FILE|-]...")
@click.option("--cluster", is_flag=True, help="aws-auth and the IAMIdentityMappings.")
@connection_options
@click.option(
    "-o",
    "--output",
    type=click.Choice(["text", "json", "sarif", "github"]),
    default="text",
    show_default=True,
    help="The form of the output; github annotates the files of a pull request.",
)
@click.option(
    "--explain",
    type=_RuleId(),
    metavar="RULE",
    help="Show what a rule finds and how to correct it; all lists the rules.",
)
@click.option(
    "--fail-on",
    type=click.Choice([severity.value for severity in Severity]),
    default=Severity.ERROR.value,
    show_default=True,
    help="The mildest finding that makes the exit code 1.",
)
@click.option(
    "--disable",
    type=_RuleId(),
    multiple=True,
    metavar="RULE",
    help="A rule to leave out; can be given again.",
)
@click.option("--known-arn", multiple=True, metavar="ARN", help="A principal that exists.")
@click.option("--known", metavar="FILE", help="A file with such ARNs, one a line.")
@click.option(
    "--client-region",
    multiple=True,
    metavar="REGION",
    help="A Region whose STS clients sign tokens for; can be given again.",
)
def run(
    loaded: Loaded,
    *,
    files: tuple[str, ...],
    cluster: bool,
    kubeconfig: str | None,
    context: str | None,
    master_url: str | None,
    output: str,
    explain: str | None,
    fail_on: str,
    disable: tuple[str, ...],
    known_arn: tuple[str, ...],
    known: str | None,
    client_region: tuple[str, ...],
) -> int:
    """Lint what is given, and return 0 if nothing is as bad as `--fail-on`."""
    if explain:
        click.echo(_explained(explain))
        return 0
    if not files and not cluster:
        raise click.UsageError("Name a FILE, - for standard input, or --cluster.")
    if files.count(_STDIN) > 1:
        raise click.UsageError("Standard input can be one document only.")
    arns = (*known_arn, *_lines(known))
    _check_known(arns)
    told = Context(time.time(), known_arns=arns, client_regions=client_region)
    documents = [document for file in files for document in _of_file(file, told)]
    if cluster:
        guards = source_options(loaded.settings, loaded.file).guards
        documents += _of_cluster(connect(kubeconfig, context, master_url), told, guards)
    findings = [found for found in lint(documents, told) if found.rule.id not in disable]
    _show(findings, output, sum(len(document.entries) for document in documents))
    worst = min((finding.severity.rank for finding in findings), default=len(Severity))
    return 1 if worst <= Severity(fail_on).rank else 0


def _explained(rule: str) -> str:
    if rule != _EVERY_RULE:
        try:
            return explanation(RULES[rule])
        except OSError as error:
            raise ConfigError((f"{error.filename}: {error.strerror}; reinstall this",)) from error
    width = max(map(len, RULES))
    return "\n".join(
        f"{rule.severity.value:<8} {rule.id:<{width}}  {rule.title}" for rule in RULES.values()
    )


def _of_file(file: str, context: Context) -> tuple[Document, ...]:
    if file == _STDIN:
        return documents_of_file(sys.stdin.buffer.read(), "stdin", context)
    return documents_of_file(_content(file), file, context)


def _check_known(arns: Sequence[str]) -> None:
    refused = [(shortened(arn), reason) for arn in arns if (reason := _refusal(arn))]
    if refused:
        raise ConfigError(tuple(f"{arn!r} is no ARN of a principal: {why}" for arn, why in refused))


def _refusal(arn: str) -> str:
    """Return why a mapping could not name this ARN; "" if it could."""
    try:
        by_arn(arn)
    except ValueError as error:
        return str(error)
    return ""


def _lines(file: str | None) -> list[str]:
    """The lines of a file without empty ones and comments."""
    if file is None:
        return []
    lines = (line.strip() for line in _content(file).decode("utf-8", "replace").splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def _content(file: str) -> bytes:
    try:
        return Path(file).read_bytes()
    except OSError as error:
        raise ConfigError((f"{file} cannot be read: {error.strerror}",)) from error


def _of_cluster(
    cluster: Cluster, context: Context, guards: Mapping[str, Guard]
) -> Iterator[Document]:
    """aws-auth and the custom resources, in the order in which `backendMode` has them mostly."""
    config_map = _get(cluster, _CONFIG_MAP)
    identities = _get(cluster, _IDENTITIES).get("items") or []
    found = [(EKS_CONFIG_MAP, {**config_map, "kind": "ConfigMap"})] if config_map else []
    found += [(CRD, {**item, "kind": KIND}) for item in identities]
    if identities and (dropped := unknown_fields(cluster)):
        click.echo(f"{COMMAND}: warning: {foreign(dropped)}; {REMEDY}", err=True)
    for webhook in _webhooks(cluster):
        yield from documents_of_object({**webhook, "kind": WEBHOOKS_KIND}, context)
    for mode, obj in found:
        guarded = replace(context, guard=guards.get(mode, Guard()))
        yield from documents_of_object(obj, guarded)


def _webhooks(cluster: Cluster) -> list[Object]:
    """The webhook configurations; none if they may not be read, which mappings do not need."""
    try:
        return cluster.request("GET", _WEBHOOKS).get("items") or []
    except ClusterError:
        return []


def _get(cluster: Cluster, path: str) -> Object:
    """An object; empty if it does not exist (the custom resources may not be installed)."""
    try:
        return cluster.request("GET", path)
    except ClusterError as error:
        if error.status == _ABSENT:
            return {}
        raise ConfigError((f"{path} cannot be read: {error}",)) from error


def _show(findings: Sequence[Finding], output: str, entries: int) -> None:
    if output == "json":
        click.echo(json.dumps(as_data(findings), indent=2))
    elif output == "github":
        lines = [as_github(finding) for finding in findings]
        click.echo("\n".join([*lines, _summary(findings, entries)]))
    elif output == "sarif":
        click.echo(json.dumps(as_sarif(findings, __version__), indent=2))
    else:
        lines = [_line(finding) for finding in findings]
        click.echo("\n".join([*lines, _summary(findings, entries)]), color=colour())


def _line(finding: Finding) -> str:
    """`Finding.__str__` in colour."""
    severity = click.style(finding.severity.value, fg=_COLOURS[finding.severity], bold=True)
    place = click.style(printable(str(finding.place)), bold=True)
    entry = finding.place.entry
    rule = click.style(f"[{finding.rule.id}]", dim=True)
    return f"{place}: {severity}: {entry}{': ' if entry else ''}{finding.message} {rule}"


def _summary(findings: Sequence[Finding], entries: int) -> str:
    """How much was found, and in how much: a file without entries may be the wrong one."""
    counts = [_plural(n, kind.value) for kind, n in counted(findings).items() if n]
    where = "1 entry" if entries == 1 else f"{entries} entries"
    return f"{', '.join(counts) or 'nothing found'} in {where}"


def _plural(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"
