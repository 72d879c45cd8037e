"""Has each kind of token proven: presigned requests by STS, JWTs by their issuer's keys."""

from __future__ import annotations

from authenticator.aws.arns import CallerIdentity
from authenticator.tokens.presigned import PREFIX
from authenticator.verdicts.prover import Prover, Question
from authenticator.verdicts.verdict import Proof
from authenticator.verdicts.web_identity import KeyWait, WebIdentity


def is_jwt(token: str) -> bool:
    """Whether a token is taken for a JWT: it is not presigned, and has segments."""
    return "." in token and not token.startswith(PREFIX)


class Provers:
    """Implements `authenticator.login.ProvesCallers`.

    Args:
        presigned: proves presigned requests, and says what is wrong with a token of neither kind.
        web_identity: proves JWTs.
    """

    def __init__(self, presigned: Prover, web_identity: WebIdentity) -> None:
        self._presigned = presigned
        self._web_identity = web_identity

    def recall(self, token: str) -> Proof | Question | KeyWait:
        """Return the proof if nothing has to be waited for; see `ProvesCallers.recall`."""
        by = self._web_identity if is_jwt(token) else self._presigned
        return by.recall(token)

    async def ask(self, question: Question | KeyWait) -> Proof:
        """Return the proof, waiting for it; see `ProvesCallers.ask`."""
        if isinstance(question, KeyWait):
            return await self._web_identity.ask(question)
        return await self._presigned.ask(question)

    def remember_login(self, identity: CallerIdentity) -> None:
        """Take note of a login that STS has proven; see `ProvesCallers.remember_login`."""
        self._presigned.remember_login(identity)
