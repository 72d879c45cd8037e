"""What the server has in force around the source that is edited."""

from __future__ import annotations

from collections.abc import Sequence

from authenticator.admission.judge import Surroundings
from authenticator.editing.lockout import Elsewhere
from authenticator.mapping.rules import Rule
from authenticator.mapping.sections import Section
from authenticator.sources.base import SourceState
from authenticator.sources.chain import StoreStatus
from authenticator.sources.mappings import BREAK_GLASS


def surroundings(
    status: StoreStatus, administrators: Sequence[Rule], source: str
) -> Surroundings | None:
    """What is in force around `source`; None if it is not in use.

    Args:
        status: what the server has in force.
        administrators: the rules of `bootstrapAdministrators`.
        source: the name of the source.
    """
    chain = [state for state in status.sources if state.name != BREAK_GLASS]
    names = [state.name for state in chain]
    if source not in names:
        return None
    place = names.index(source)
    last = [state for state in status.sources if state.name == BREAK_GLASS]
    elsewhere = Elsewhere(
        tuple(administrators),
        _sections(chain[:place]),
        _sections(chain[place + 1 :]),
        _sections(last),
    )
    return Surroundings(chain[place].sections, elsewhere)


def _sections(states: Sequence[SourceState]) -> tuple[Section, ...]:
    return tuple(section for state in states for section in state.sections)
