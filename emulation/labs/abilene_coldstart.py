"""Abilene, twelve routers, eight clouds of two replicas: from request to ready in five schemes.

Every replica verifies the hash of each shard and reads every tensor. Unicast pulls share the
origin's link; the trees carry each byte over a link once.

    sudo .venv/bin/python emulation/labs/abilene_coldstart.py [--report DIR] [--pcap DIR]
"""

import sys

from _lab import run

if __name__ == "__main__":
    sys.exit(run(__file__, "builtin:lab-abilene"))
