"""One plan, forwarded: `step` at one node, `walk` from node to node, `fold` over a whole state."""
