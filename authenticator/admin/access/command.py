"""The verb `access`: who can do what, by the mappings and the cluster's RBAC."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from difflib import get_close_matches

import click

from authenticator.access.document import document
from authenticator.access.page import page
from authenticator.access.principals import Principal
from authenticator.access.report import Report, Standing
from authenticator.access.resources import PLURALS, SUBRESOURCES, is_cluster_wide
from authenticator.access.rules import Request
from authenticator.admin.access import text
from authenticator.admin.access.discovery import known
from authenticator.admin.access.where import Where, note, read_report, reading_options
from authenticator.admin.tables import JSON, NAME, TABLE, WIDE, YAML, output_option, show_values
from authenticator.aws.arns import PrincipalArn, PrincipalKind
from authenticator.display import printable
from authenticator.errors import ConfigError
from authenticator.options import COMMAND, Verbs, run_verb


def access(arguments: list[str]) -> int:
    """Run the verb and return its exit code."""
    return run_verb(_access, "access", arguments)


@click.group(
    "access",
    cls=Verbs,
    help="Join the IAM mappings with the cluster's RBAC: who can do what.",
)
def _access() -> None: ...


@_access.command("report", help="Show all principals and what they can do, risky grants first.")
@reading_options
@click.option(
    "-o",
    "--output",
    type=click.Choice([TABLE, WIDE, NAME, JSON, YAML, "html"]),
    default=TABLE,
    show_default=True,
    help="html is one file to open in a browser.",
)
@click.option("--title", metavar="TEXT", help="What the report calls the cluster.")
def _report(where: Where, *, output: str, title: str | None) -> int:
    now = time.time()
    report = read_report(where, now)
    if output in (TABLE, WIDE):
        text.show_report(report, now, wide=output == WIDE)
        return 0
    if output == NAME:
        _show_names(principal for principal, _ in report.principals)
        return 0
    whole = document(report, cluster=title or where.name, now=now)
    if output == "html":
        click.echo(page(whole))
    else:
        show_values(whole, output)
    return 0


def _show_names(principals: Iterable[Principal]) -> None:
    names = dict.fromkeys(printable(principal.written) for principal in principals)
    click.echo("".join(f"{name}\n" for name in names), nl=False)


_output = output_option(WIDE, NAME, JSON, YAML)


@_access.command(
    "who-can",
    help="Show which principals may do something.\n\nRESOURCE is TYPE[.GROUP][/NAME] with the type"
    " as kubectl takes it, in the plural or singular or in short, or a path such as /metrics."
    " Examples: who-can get secrets; who-can delete deploy/web -n shop; who-can create pods"
    " --subresource exec",
)
@reading_options
@_output
@click.option("-n", "--namespace", metavar="NAME", help="Where. Default: anywhere.")
@click.option("--subresource", metavar="NAME", default="", help="log, exec, status, ...")
@click.argument("verb")
@click.argument("resource")
def _who_can(
    where: Where,
    *,
    output: str,
    namespace: str | None,
    subresource: str,
    verb: str,
    resource: str,
) -> int:
    request = request_for(verb, resource, subresource, where.resource)
    if request.name in SUBRESOURCES:
        note(
            f"{resource} is the object named {request.name}; for the subresource use"
            f" {request.resource} --subresource {request.name}"
        )
    if namespace and is_cluster_wide(request):
        raise click.UsageError(f"{resource} is in no namespace; leave --namespace away")
    report = read_report(where, time.time())
    answers = tuple(report.who_can(request, namespace))
    if output in (JSON, YAML):
        show_values({"principals": text.who_values(answers)}, output)
    elif output == NAME:
        _show_names(principal for principal, _ in answers)
    elif answers:
        text.show_who(answers, time.time(), wide=output == WIDE)
    else:
        click.echo("No principal of the mappings that were read may do that.")
    return 0


@_access.command(
    "what",
    help="Show all that one principal may do.\n\nPRINCIPAL is an ARN, also one with a session"
    " (arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION), or a pattern, an account id or a username"
    " as a mapping has it.",
)
@reading_options
@_output
@click.argument("principal")
def _what(where: Where, *, output: str, principal: str) -> int:
    report = read_report(where, time.time())
    found = _find(report, principal)
    if not found:
        missing = f'no mapping that was read matches "{printable(principal)}"'
        raise ConfigError((f"{missing}; {COMMAND} access report lists all principals",))
    if output in (JSON, YAML):
        show_values({"principals": text.what_values(report.rbac, found)}, output)
        return 0
    if output == NAME:
        _show_names(one for one, _ in found)
        return 0
    for number, (one, standing) in enumerate(found):
        if number:
            click.echo()
        text.show_what(report.rbac, one, standing, time.time())
    return 0


def _find(report: Report, wanted: str) -> tuple[tuple[Principal, Standing], ...]:
    try:
        arn = PrincipalArn.parse(wanted)
    except ValueError:
        return tuple(
            pair
            for pair in report.principals
            if wanted in (pair[0].written, pair[0].username.text) or pair[0].arn == wanted.lower()
        )
    # IAM shows a role with its path, which STS leaves out.
    return report.of(replace(arn, path="") if arn.kind is PrincipalKind.ROLE else arn)


def request_for(
    verb: str, target: str, subresource: str, find: Callable[[str, str], tuple[str, str] | None]
) -> Request:
    """Return the request that is asked about.

    Args:
        verb: the verb.
        target: RESOURCE[.GROUP][/NAME] with a resource as kubectl takes it, or a path.
        subresource: of the resource; "" for none.
        find: returns plural name and API group of a resource and a group, which may be "".

    Raises:
        click.UsageError: the API group is missing, and not known.
    """
    if target.startswith("/"):
        return Request(verb, path=target)
    full, _, name = target.partition("/")
    resource, _, group = full.lower().partition(".")
    found = known(resource, group) or find(resource, group)
    if found is None and not group:
        near = get_close_matches(resource, PLURALS, 1)
        meant = f"; did you mean {near[0]}" if near else ""
        raise click.UsageError(
            f"there is no resource {printable(resource)!r}{meant}? Name the API group of a custom"
            " resource too: widgets.example.com"
        )
    resource, group = found or (resource, group)
    return Request(verb, resource, group, subresource, name)
