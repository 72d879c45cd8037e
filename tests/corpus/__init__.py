"""Tokens and requests that a webhook must refuse or survive, and tokens that it must accept.

`tokens.json` and `requests.json` are the corpus; `forge` makes the tokens,
freshly dated and signed.
"""
