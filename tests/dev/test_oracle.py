"""The oracle gives the reference's answers, and all of them where chance decides."""

from __future__ import annotations

import pytest

from dev import gotools, oracle
from dev.bench import reference
from dev.oracle import Caller, OracleError, Question, Step, User

pytestmark = pytest.mark.reference

ACCOUNT = "111122223333"
ADMIN = Caller(f"arn:aws:sts::{ACCOUNT}:assumed-role/admin/s1", "AROAADMIN:s1", "ASIAADMIN")
BOB = Caller(f"arn:aws:iam::{ACCOUNT}:user/Bob", "AIDABOB", "AKIABOB")


def ask_one(step: Step, caller: Caller, *modes: str) -> frozenset[str]:
    """The reference's answers to one caller, without uid and extra."""
    (answer,) = oracle.ask([Question(modes, (step,), (caller,))])
    return frozenset(map(str, answer.users[0]))


def test_an_answer_is_whole() -> None:
    roles = f'- {{rolearn: "arn:aws:iam::{ACCOUNT}:role/admin", username: a, groups: [g]}}'
    step = Step(aws_auth={"mapRoles": roles})
    (answer,) = oracle.ask([Question(("EKSConfigMap",), (step,), (ADMIN, BOB))])
    unique = ("AROAADMIN",)
    user = User(
        "a",
        f"aws-iam-authenticator:{ACCOUNT}:AROAADMIN",
        ("g",),
        (
            ("accessKeyId", ("ASIAADMIN",)),
            ("arn", (ADMIN.arn,)),
            ("canonicalArn", (f"arn:aws:iam::{ACCOUNT}:role/admin",)),
            ("principalId", unique),
            ("sessionName", ("s1",)),
            ("sigs.k8s.io/aws-iam-authenticator/principalId", unique),
        ),
    )
    assert answer == oracle.Answer("", (frozenset({user}), frozenset({None})))


def test_all_answers_that_chance_may_give_are_found() -> None:
    users = "".join(
        f'- {{userarn: "arn:aws:iam::{ACCOUNT}:user/{name}", username: {name}1}}\n'
        for name in ("bob", "Bob", "BOB", "bOb")
    )
    step = Step(aws_auth={"mapUsers": users})
    assert ask_one(step, BOB, "EKSConfigMap") == {"bob1 []", "Bob1 []", "BOB1 []", "bOb1 []"}


def test_a_configuration_that_the_reference_refuses_is_told() -> None:
    step = Step(config=b"server: {mapRoles: [{username: nobody}]}")
    (answer,) = oracle.ask([Question(("MountedFile",), (step,), (ADMIN,))])
    assert "rolearn or SSO must be supplied" in answer.refusal


def test_an_oracle_that_ends_early_is_an_error() -> None:
    nonsense = Caller("nonsense::::", "", "")
    with pytest.raises(OracleError, match=r"0 of 1 answered.*nonsense"):
        oracle.ask([Question(("MountedFile",), (Step(),), (nonsense,))])


def test_the_oracle_is_the_reference_that_runs_end_to_end() -> None:
    path = "sigs.k8s.io/aws-iam-authenticator"
    benchmark = gotools.module_version(reference.MODULE, path)
    assert gotools.module_version(oracle.MODULE, path) == benchmark


def test_the_example_of_the_reference_is_found() -> None:
    assert "config.yaml: |" in oracle.deployment().read_text()
