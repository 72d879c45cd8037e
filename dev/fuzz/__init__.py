"""Fuzzes what reads hostile bytes: tokens, TokenReviews and the answers of STS.

`targets` holds what must be true of any input, `generate` makes inputs that get far, and
`python -m dev.fuzz` runs both for a bounded time.
"""
