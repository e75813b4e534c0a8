"""Clouds with slow and fast inbound links: the slowest receiver sets the pace of a tree.

Pulls let the fast clouds finish first; one multicast stream waits for the slowest of them.

    sudo .venv/bin/python emulation/labs/unequal_clouds.py [--report DIR]
"""

import sys

from _lab import run

if __name__ == "__main__":
    sys.exit(run(__file__, "builtin:lab-unequal"))
