"""Text from elsewhere, made safe to show: the client's twin of `authenticator.display`."""

# Letters and marks that draw nothing, though Python counts them as printable.
_BLANK = "\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180e\u180f\u2800\u3164\uffa0"


def escaped(text: str) -> str:
    r"""Return `text` with each character that a reader does not see as an escape (`\x1b`)."""
    # The codec is a module that is loaded when it is first used.
    escape = "unicode_escape"
    return "".join([c if is_seen(c) else c.encode(escape).decode("ascii") for c in text])


def is_seen(character: str) -> bool:
    """Return whether a character draws something, or is U+0020."""
    return (
        character.isprintable()
        and character not in _BLANK
        and not "\ufe00" <= character <= "\ufe0f"
        and not "\U000e0100" <= character <= "\U000e01ef"
    )
