"""Fires the published corpus at both servers: what each grants or refuses wrongly."""

from __future__ import annotations

import os
import ssl
import tempfile
from pathlib import Path

from dev.aws_double import AwsDouble, Principal
from dev.bench import webhook
from dev.bench.double import StsDouble
from dev.bench.figures import table
from dev.bench.progress import progress
from tests.corpus import forge
from tests.corpus.runner import Result, Target, Wrong, fire

TITLE = "The attack corpus"
ABOUT = (
    "`tests/corpus`: tokens and requests that a webhook must refuse or survive, and tokens that it "
    "must accept, freshly dated and signed for each run. Wrongly granted is a login by what should "
    "be no token, in most cases since no signer writes one so: a request must not have many "
    "tokens, nor be read in two ways. Wrongly refused is a valid user turned away. STS is the "
    "double of `dev/aws_double`, which verifies each signature. "
    "`python -m tests.corpus URL --ca FILE` fires the same at any webhook."
)
_ACCOUNT = "111122223333"
# What both servers can map alike, whoever signs.
_SETTINGS = {"mapAccounts": [_ACCOUNT]}


def results(servers: dict[str, str]) -> str:
    """Fire the corpus at each server (commands by name), and write what came of it."""
    judged: dict[str, list[Result]] = {}
    faults = []
    for name, command in servers.items():
        progress(f"corpus: {name}")
        try:
            judged[name] = judge(command)
        except webhook.WebhookError as error:
            faults.append(f"Not measured: {name}: {error}")
    return "\n\n".join([written(judged), *faults])


def judge(command: str) -> list[Result]:
    """Fire the corpus at one server. Raises WebhookError."""
    place = {"cluster_id": webhook.CLUSTER}
    signer, long = forge.Signer(**place), forge.long_session(**place)
    principals = [_user(signer, "corpus"), _user(long, "long")]
    with AwsDouble(principals) as aws, tempfile.TemporaryDirectory() as scratch:
        double = StsDouble(os.getpid(), aws.proxy_url, aws.ca_bundle)
        with webhook.running(command, Path(scratch), double, _SETTINGS) as server:
            context = ssl.create_default_context(cafile=str(server.ca))
            return list(fire(Target(server.url, context, "v1", signer, long)))


def _user(signer: forge.Signer, name: str) -> Principal:
    return Principal(
        f"arn:aws:iam::{_ACCOUNT}:user/{name}",
        f"AIDA{name.upper():0<17}",
        signer.access_key_id,
        signer.secret_key,
        session_token=signer.security_token or None,
    )


def written(judged: dict[str, list[Result]]) -> str:
    """Write a summary by server, and each case that one of them got wrong."""
    head = ("server", "cases", *Wrong, "without an answer")
    rows = [
        (
            name,
            str(len(cases)),
            *(str(sum(each.wrong is wrong for each in cases)) for wrong in Wrong),
            str(sum(not each.status for each in cases)),
        )
        for name, cases in judged.items()
    ]
    wrong = {
        case.name: (case.why, *_answers(judged, case.name))
        for cases in judged.values()
        for case in cases
        if case.wrong
    }
    parts = [table(head, rows)]
    if wrong:
        columns = ("case", "what it is about", *judged)
        parts.append(table(columns, [(name, *cells) for name, cells in wrong.items()]))
    return "\n\n".join(parts)


def _answers(judged: dict[str, list[Result]], name: str) -> list[str]:
    """What each server made of a case."""
    found = [next((each for each in cases if each.name == name), None) for cases in judged.values()]
    return ["" if each is None else each.wrong or each.outcome for each in found]
