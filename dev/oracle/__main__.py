"""Builds the oracle: `python -m dev.oracle`."""

from dev.oracle import build

if __name__ == "__main__":
    build()
