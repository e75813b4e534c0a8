"""Twenty-eight routers of a European backbone, each a BFR; a cable to half of the clouds is pulled.

BIER's tables follow every router's own kernel routes: no router but the ingress knows the push.

    sudo .venv/bin/python emulation/labs/nobel_eu_bier.py [--report DIR]
"""

import sys

from _lab import run

if __name__ == "__main__":
    push = ("builtin:lab-nobel-eu", "--scheme", "bier", "--fail", "Brussels,Frankfurt@40%")
    sys.exit(run(__file__, *push))
