"""The verb `authentication-config`: mappings for an API server that verifies JWTs by itself."""

from __future__ import annotations

import time

import click
import yaml

from authenticator.admin.connection import connect, connection_options
from authenticator.admin.in_force import of_cluster, of_file, of_server
from authenticator.config import Loaded
from authenticator.display import printable
from authenticator.editing.authentication_config import LOST, Sources, TrustedIssuer, render
from authenticator.errors import ConfigError
from authenticator.modes import MOUNTED_FILE
from authenticator.options import COMMAND, command
from authenticator.sources.options import source_options

_WIDE = 10**6


@command(
    "authentication-config",
    "Render mappings as an AuthenticationConfiguration of kube-apiserver.\n\n"
    "The API server then takes JWTs without a webhook. Issuers and audiences come from webIdentity"
    " in the server's config file (--config), and so do the mappings, unless --file or --cluster"
    " says otherwise. Standard error names what is lost, and each mapping that CEL cannot express.",
    frozenset({"backend_mode", "partition", "state_dir"}),
)
@click.option("--file", metavar="FILE", help="Mappings from a file; - for stdin.")
@click.option("--cluster", is_flag=True, help="Mappings as they stand in the cluster.")
@click.option("--strict", is_flag=True, help="Fail if a mapping cannot be expressed.")
@connection_options
def authentication_config(
    loaded: Loaded,
    *,
    file: str | None,
    cluster: bool,
    strict: bool,
    kubeconfig: str | None,
    context: str | None,
    master_url: str | None,
) -> int:
    """Write the configuration, and return 0 if it says all that it can."""
    settings = loaded.settings
    options = source_options(settings, loaded.file)
    if file and cluster:
        raise click.UsageError("--file and --cluster exclude each other.")
    if file:
        in_force = of_file(file, options.guards[MOUNTED_FILE])
    elif cluster:
        in_force = of_cluster(options, connect(kubeconfig, context, master_url))
    else:
        in_force = of_server(options, None)
    if in_force.unread:
        raise ConfigError(in_force.unread)
    given = settings.web_identity
    try:
        rendered = render(
            [TrustedIssuer(issuer.url, issuer.accountid) for issuer in given.issuers],
            Sources(in_force.administrators, in_force.chain, in_force.break_glass),
            audiences=settings.audiences,
            partition=settings.partition,
            max_age_seconds=given.maxageseconds,
            now=time.time(),
        )
    except ValueError as error:
        raise ConfigError((str(error),)) from error
    for line in LOST:
        click.echo(f"{COMMAND}: note: {line}", err=True)
    for line in rendered.left_out:
        click.echo(f"{COMMAND}: warning: {printable(line)}", err=True)
    if strict and rendered.left_out:
        return 1
    click.echo(
        yaml.safe_dump(rendered.document, sort_keys=False, width=_WIDE, allow_unicode=True),
        nl=False,
    )
    return 0
