"""Four routers, one cable pulled: who recovers first?

::

          B
        /   \\
    A --     -- D      origin at A; clouds behind B, C and D
        \\   /
          C

Ingress replication, PIM-SM, SR-P2MP and BIER push the same file; 40 % into each push the link
that D's traffic takes loses its carrier, then the same again with a failure that only BFD sees. A
probe of 1,000 packets a second in the same tunnel, tree or bitstring measures the outage of every
replica, and the table sets it beside the prediction.

    sudo .venv/bin/python emulation/labs/diamond_failover.py [--repeat 5] [--report DIR]
"""

import sys

from _lab import run

SCHEMES = [
    word
    for scheme in ("ingress-replication", "pim-sm", "sr-p2mp", "bier")
    for word in ("--scheme", scheme)
]

if __name__ == "__main__":
    push = ("builtin:lab-diamond", *SCHEMES, "--fail", "B,D@40%")
    sys.exit(run(__file__, *push) or run(__file__, *push, "--silent"))
