"""Tokens and requests that a webhook must refuse or survive, and tokens that it must accept.

`tokens.json` and `requests.json` are the corpus; `forge` makes the tokens,
freshly dated and signed. `python -m tests.corpus URL --ca FILE` fires all of it at a webhook.
"""
