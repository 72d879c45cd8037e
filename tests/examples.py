"""How many examples a test generates that sets the number itself."""

from hypothesis import settings

_USUAL = 100


def examples(number: int) -> int:
    """Return the number for this run: `number`, or 20 times as many with `--nightly`."""
    return max(1, number * settings.default.max_examples // _USUAL)
