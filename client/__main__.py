"""``python -m client token ...``: the plugin without the rest of the distribution."""

import sys

from .command import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], words=("token",)))
