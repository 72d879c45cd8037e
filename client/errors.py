"""The errors that the plugin shows to people."""


class ClientError(Exception):
    """A fault that the person at the keyboard can act on.

    The message is one sentence or two: what was wrong, where, and what to do. It never holds a
    secret key, a session token or a bearer token.

    Attributes:
        code: the exit code of a verb that ends with it.
    """

    code = 1


class UsageError(ClientError):
    """The command line cannot be read."""

    code = 2
