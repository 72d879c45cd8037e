"""The verb `explain`: what the server makes of a token, an ARN or a denial, and why.

Everything is decided by the server's own parts (`authenticator.admin.explain.trace`); this puts
them together.
"""

from __future__ import annotations

import json
import logging
import time
from typing import Any

import click
import yaml

from authenticator.admin.connection import connect, connection_options
from authenticator.admin.explain.given import Instances, as_node, caller
from authenticator.admin.explain.log import Record, find
from authenticator.admin.explain.report import (
    ALLOWED,
    DENIED,
    UNDECIDED,
    UNKNOWN,
    Explanation,
    as_data,
)
from authenticator.admin.explain.text import as_text, logged_as_text
from authenticator.admin.explain.trace import Given, trace
from authenticator.admin.in_force import InForce, of_cluster, of_file, of_server
from authenticator.admin.progress import progress
from authenticator.admin.verify_steps import asking, prover, steps, takes_as_jwt, token_in
from authenticator.aws.arns import ProofKind, SignedClaims
from authenticator.config import Loaded
from authenticator.display import printable
from authenticator.errors import ConfigError
from authenticator.modes import MOUNTED_FILE
from authenticator.options import COMMAND, colour, command
from authenticator.sources.options import source_options

# What stands in for the cluster id where no token is checked.
_NO_CLUSTER = "none"
# Neither a usage error (2) nor a denial.
_CODES = {ALLOWED: 0, DENIED: 1, UNKNOWN: 3, UNDECIDED: 3}
_OF_JWTS = (
    "organization",
    "organizational_unit",
    "principal_tag",
    "identity_store_user_id",
    "source_identity",
)
_WHO = ("token", "token_file", "arn", "denial_id")


@command(
    "explain",
    "Show what the server makes of a caller, check by check and mapping by mapping.\n\n"
    "Give one of --token, --token-file, --arn and --id, and where the mappings are: the server's"
    " config file (--config), --cluster, both, or --file. Exit code: 0 if the caller may enter, 1"
    " if not, 3 if that is not known, since a source or AWS could not be asked.",
    frozenset({"backend_mode", "partition", "state_dir"}),
    otherwise={"cluster_id": _NO_CLUSTER},
)
@click.option("-t", "--token", help="A token; - reads it from standard input.")
@click.option("--token-file", metavar="FILE", help="A file that holds a token.")
@click.option("--arn", help="An ARN as STS reports it, or as mappings name it.")
@click.option("--id", "denial_id", metavar="ID", help="A denial's id in the audit log.")
@click.option("--log", metavar="FILE", help="The server's log, for --id; - for stdin.")
@click.option("--session", metavar="NAME", help="The session name, for a role's ARN.")
@click.option("--user-id", metavar="ID", help="The unique id (AROA..., AIDA...), for an ARN.")
@click.option("--access-key-id", metavar="ID", help="The access key's id, for an ARN.")
@click.option(
    "--proof",
    type=click.Choice([kind.value for kind in ProofKind]),
    help="The kind of token, for an ARN; presigned unless a claim is given.",
)
@click.option("--organization", metavar="ID", help="The claim of a JWT, for an ARN.")
@click.option("--organizational-unit", metavar="ID", multiple=True, help="Likewise.")
@click.option("--principal-tag", metavar="KEY=VALUE", multiple=True, help="Likewise.")
@click.option("--identity-store-user-id", metavar="ID", help="Likewise.")
@click.option("--source-identity", metavar="NAME", help="Likewise.")
@click.option("--instance-name", metavar="NAME", help="The private DNS name of a node.")
@click.option("--file", metavar="FILE", help="Mappings from a file; - for stdin.")
@click.option("--cluster", is_flag=True, help="Mappings as they stand in the cluster.")
@connection_options
@click.option(
    "-o",
    "--output",
    type=click.Choice(["text", "json", "yaml"]),
    default="text",
    show_default=True,
    help="The form of the output.",
)
def explain(loaded: Loaded, *, output: str, **given: Any) -> int:
    """Explain one caller, and return 0 if they may enter."""
    _check(loaded, given)
    # What the sources log stands in the explanation.
    logging.getLogger("authenticator").addHandler(logging.NullHandler())
    record = _record(given) if given["denial_id"] else {}
    if record:
        given |= {name: str(record.get(name, "")) for name in ("arn", "access_key_id")}
    try:
        with progress("Reading the mappings"):
            in_force = _in_force(loaded, given) if _names_somebody(given) else None
    except ConfigError as error:
        for problem in error.problems:
            click.echo(f"{COMMAND}: {printable(problem)}", err=True)
        click.echo(f"{COMMAND} explain: UNKNOWN: the mappings could not be read", err=True)
        return _CODES[UNKNOWN]
    explanation = _explanation(loaded, given, in_force) if in_force else None
    _show(record, explanation, output)
    return _CODES[explanation.verdict] if explanation else _CODES[DENIED]


def _check(loaded: Loaded, given: dict[str, Any]) -> None:
    if sum(bool(given[name]) for name in _WHO) != 1:
        raise click.UsageError("Give one of --token, --token-file, --arn and --id.")
    if bool(given["denial_id"]) != bool(given["log"]):
        raise click.UsageError("--id and --log FILE go together: the id is looked up in the log.")
    if given["file"] and given["cluster"]:
        raise click.UsageError("--file and --cluster exclude each other.")
    has_sources = loaded.file or loaded.settings.backend_mode != (MOUNTED_FILE,)
    if not (given["file"] or given["cluster"] or has_sources):
        raise click.UsageError("Say where the mappings are: --config, --file or --cluster.")
    if [given["token"], given["log"], given["file"]].count("-") > 1:
        raise click.UsageError("Standard input can be one thing only.")
    has_token = given["token"] or given["token_file"]
    if has_token and loaded.settings.cluster_id == _NO_CLUSTER:
        raise click.UsageError("Give --cluster-id: tokens are signed for one cluster.")


def _names_somebody(given: dict[str, Any]) -> bool:
    return bool(given["token"] or given["token_file"] or given["arn"])


def _record(given: dict[str, Any]) -> Record:
    log = given["log"]
    try:
        with click.open_file(log, encoding="utf-8", errors="replace") as lines:
            record = find(lines, given["denial_id"])
    except OSError as error:
        raise ConfigError((f"{log}: cannot be read: {error.strerror}",)) from error
    if record is None:
        missing = f"{log}: there is no denial {given['denial_id']}"
        hint = "it is in the log of the server that was asked: on another host, or rotated away?"
        raise ConfigError((f"{missing}; {hint}",))
    return record


def _explanation(loaded: Loaded, given: dict[str, Any], in_force: InForce) -> Explanation:
    explained = _of_arn if given["arn"] else _of_token
    return explained(loaded, given, in_force)


def _in_force(loaded: Loaded, given: dict[str, Any]) -> InForce:
    options = source_options(loaded.settings, loaded.file)
    if given["file"]:
        return of_file(given["file"], options.guards[MOUNTED_FILE])
    place = (given["kubeconfig"], given["context"], given["master_url"])
    if given["cluster"] and not loaded.file:
        return of_cluster(options, connect(*place))
    if given["cluster"]:
        return of_server(options, connect(*place))
    return of_server(options, connect(*place) if any(place) else None)


def _of_arn(loaded: Loaded, given: dict[str, Any], in_force: InForce) -> Explanation:
    now = time.time()
    try:
        made_up = caller(
            given["arn"],
            session=given["session"] or "",
            user_id=given["user_id"] or "",
            access_key_id=given["access_key_id"] or "",
            claims=_claims(given),
        )
    except ValueError as error:
        raise click.UsageError(f"--arn {given['arn']}: {error}") from error
    made_up = as_node(made_up, in_force.rules, now)
    instances = Instances(given["instance_name"] or "")
    made = trace(
        "",
        prover=Given(made_up.identity),
        rules=in_force.rules,
        name_instance=instances,
        clock=lambda: now,
    )
    return Explanation(
        trace=made,
        in_force=in_force,
        now=now,
        placeholders=made_up.placeholders | instances.placeholders,
        scrubbed_accounts=frozenset(loaded.settings.scrubbed_accounts),
    )


def _claims(given: dict[str, Any]) -> SignedClaims | None:
    """Return the claims of a made-up JWT; None for a presigned token.

    Raises:
        ValueError: a flag is for JWTs, and --proof says presigned.
    """
    told = {flag: given[flag] for flag in _OF_JWTS if given[flag]}
    if given["proof"] == ProofKind.PRESIGNED.value and told:
        name = next(iter(told)).replace("_", "-")
        raise ValueError(f"a presigned token has no claims: leave out --{name}, or say --proof jwt")
    if not told and given["proof"] != ProofKind.JWT.value:
        return None
    return SignedClaims(
        organization=given["organization"] or "",
        organizational_units=frozenset(given["organizational_unit"]),
        principal_tags=tuple(tag.partition("=")[::2] for tag in given["principal_tag"]),
        identity_store_user_id=given["identity_store_user_id"] or "",
        source_identity=given["source_identity"] or "",
    )


def _of_token(loaded: Loaded, given: dict[str, Any], in_force: InForce) -> Explanation:
    now = time.time()
    ask = asking(loaded.settings)
    text = token_in(given["token"], given["token_file"])
    instances = Instances(given["instance_name"] or "")
    made = trace(
        text,
        prover=prover(loaded.settings, ask, lambda: now),
        rules=in_force.rules,
        name_instance=instances,
        clock=lambda: now,
    )
    return Explanation(
        trace=made,
        in_force=in_force,
        now=now,
        checks=steps(made.proof_error, ask.host, by_key=takes_as_jwt(loaded.settings, text)),
        placeholders=instances.placeholders,
        scrubbed_accounts=frozenset(loaded.settings.scrubbed_accounts),
    )


def _show(record: Record, explanation: Explanation | None, output: str) -> None:
    if output == "text":
        parts = [logged_as_text(record)] if record else []
        if explanation is not None:
            parts += [click.style("With the mappings as they are now", bold=True)] if record else []
            parts.append(as_text(explanation))
        else:
            parts.append("Nobody was proven, or the log leaves out whom: no mapping was asked.")
        click.echo("\n\n".join(parts), color=colour())
        return
    data: dict[str, Any] = {"logged": record} if record else {}
    if explanation is not None:
        data |= as_data(explanation)
    dump = json.dumps(data, indent=2) if output == "json" else yaml.safe_dump(data, sort_keys=False)
    click.echo(dump.rstrip())
