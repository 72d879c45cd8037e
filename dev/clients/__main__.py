"""Builds the client programs of other languages."""

from dev.clients import main

if __name__ == "__main__":
    main()
