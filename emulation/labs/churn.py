"""A new set of receivers with each push: what has to change before the first byte can leave?

BIER writes a bitstring at the ingress, PIM grows and prunes branches hop by hop, SR-P2MP waits
for its controller. The column to look at is the set-up.

    sudo .venv/bin/python emulation/labs/churn.py [--report DIR]
"""

import sys

from _lab import run

SCHEMES = [word for scheme in ("pim-sm", "sr-p2mp", "bier") for word in ("--scheme", scheme)]

if __name__ == "__main__":
    sys.exit(run(__file__, "builtin:lab-churn", *SCHEMES))
