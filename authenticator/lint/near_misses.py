"""Names and account ids that are nearly those of another entry: one slip of the finger away.

Nothing is compared pair by pair: each name is looked up under the few spellings that one slip
makes of it, so that ten thousand entries take no longer than ten thousand look-ups.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from authenticator.lint.documents import Context, Entry
from authenticator.lint.findings import Finding
from authenticator.mapping.selectors import by_arn

# Short words differ in a letter by intention (team-a, team-b; qa, qb).
_WORD = re.compile(r"[a-z]{5,}", re.ASCII)
_ANY = "\0"
# Of longer ones (a path of a user may have 512 characters) there would be too many spellings.
_LONGEST = 128
# Each account takes 2 KiB while they are compared, and a ConfigMap has room for 60,000.
_MOST_ACCOUNTS = 5000


def near_names(entries: Sequence[Entry]) -> Iterator[Finding]:
    """A letter lost, doubled or swapped inside a word, beside the word itself."""
    named: dict[str, int] = {}
    for number, entry in enumerate(entries):
        if key := _principal(entry):
            named.setdefault(key, number)
    pairs = {
        (max(number, named[near]), min(number, named[near]))
        for key, number in named.items()
        for near in _slips(key)
        if near in named
    }
    for later, earlier in sorted(pairs):
        rule = entries[earlier].rule
        message = (
            f"its ARN differs in one letter from that of {rule.match.origin if rule else ''}; if"
            " these are not two principals, correct one"
        )
        yield entries[later].finding("near-miss-name", message)


def near_accounts(entries: Sequence[Entry]) -> Iterator[Finding]:
    """An account id that differs from a more frequent one in one digit, or by two swapped."""
    accounts = [(account, entry) for entry in entries if (account := _account(entry))]
    counted = Counter(account for account, _ in accounts)
    if len(counted) > _MOST_ACCOUNTS:
        return
    first = {account: (account, entry) for account, entry in reversed(accounts)}
    # The more frequent, and among equals the earlier, is taken for the right one.
    place = {account: (counted[account], -number) for number, account in enumerate(counted)}
    index = _Nearby(sorted(counted, key=lambda account: place[account]))
    for account, entry in first.values():
        rivals = [near for near in index.near(account) if len(near) == len(account)]
        usual = max(rivals, key=lambda near: place[near], default=account)
        if place[usual] > place[account]:
            message = (
                f"the account {account} is one slip away from {usual}, which is named elsewhere;"
                " if it is not another account of yours, correct it"
            )
            yield entry.finding("near-miss-account", message)


def near_known(entries: Sequence[Entry], context: Context) -> Iterator[Finding]:
    """An ARN that is not known and nearly one that is."""
    known = {key: arn for arn in context.known_arns if (key := _canonical(arn))}
    index = _Nearby(known)
    for entry in entries if known else ():
        key = _principal(entry)
        near = next(index.near(key), "") if key and key not in known else ""
        if near:
            message = f"no known principal has this ARN; it is one slip away from {known[near]}"
            yield entry.finding("near-miss-known", message)


class _Nearby:
    """Texts to be found by what is one letter, or one swap, away from them.

    Of several that are equally near, the last one is found.
    """

    def __init__(self, texts: Iterable[str]) -> None:
        self._texts = dict.fromkeys(text for text in texts if len(text) <= _LONGEST)
        self._masked = {mask: text for text in self._texts for mask in _masks(text)}

    def near(self, text: str) -> Iterator[str]:
        """The texts that are nearly `text`, itself excluded."""
        if len(text) > _LONGEST:
            return
        for mask in _masks(text):
            near = self._masked.get(mask, text)
            if near != text:
                yield near
        for swapped in _swaps(text, range(len(text) - 1)):
            if swapped in self._texts:
                yield swapped


def _masks(text: str) -> Iterator[str]:
    """The text with each letter in turn open, and with an open letter at each place."""
    for place in range(_after_service(text), len(text)):
        yield text[:place] + _ANY + text[place + 1 :]
        yield text[:place] + _ANY + text[place:]
    yield text + _ANY


def _after_service(text: str) -> int:
    """Where the account begins, if it is an ARN: partition and service are not compared."""
    return text.find("::") + 2 if text.startswith("arn:") else 0


def _swaps(text: str, places: Iterable[int]) -> Iterator[str]:
    for place in places:
        one, two = text[place], text[place + 1]
        if one != two:
            yield text[:place] + two + one + text[place + 2 :]


def _slips(key: str) -> Iterator[str]:
    """What one slip inside a word of the name makes of an ARN."""
    for word in _WORD.finditer(key, key.rindex("/") + 1 if "/" in key else len(key)):
        yield from (key[:at] + key[at + 1 :] for at in range(word.start() + 1, word.end() - 1))
        yield from _swaps(key, range(word.start(), word.end() - 1))


def _principal(entry: Entry) -> str:
    """The canonical ARN in lower case of an entry for one principal; "" for others."""
    selector = entry.rule.selector if entry.rule else None
    fits = selector and not selector.is_pattern and len(selector.key) <= _LONGEST
    return selector.key if selector and fits else ""


def _account(entry: Entry) -> str:
    selector = entry.rule.selector if entry.rule else None
    return selector.account_id if selector else entry.account


def _canonical(arn: str) -> str:
    try:
        return by_arn(arn).key
    except ValueError:
        return ""
