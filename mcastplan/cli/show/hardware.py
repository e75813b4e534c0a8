"""State against what routers can hold: a line once multicast state is no longer small."""

from __future__ import annotations

from mcastplan.model.results import Comparison
from mcastplan.scenario.catalogue import mroute_limits

_SMALL = 0.01  # of the smallest table: not worth a line


def hardware_line(result: Comparison) -> str | None:
    """PIM's fullest router against the multicast tables of real routers; None where it is nothing.

    BIFT rows and replication segments live in other tables, whose sizes are not published.
    """
    state = next((scheme.nodes for scheme in result.schemes if scheme.name == "pim-sm"), ())
    worst = max(state, key=lambda node: node.state_entries, default=None)
    limits = mroute_limits()
    if worst is None or worst.state_entries < _SMALL * limits[0].entries_low:
        return None
    sizes = ", ".join(
        f"{row.name} {row.entries_low:,}"
        + (f" to {row.entries:,}" if row.entries > row.entries_low else "")
        for row in limits
    )
    exceeded = [row.name for row in limits if worst.state_entries > row.entries]
    said = f"pim-sm: {worst.name} holds {worst.state_entries:,} mroutes; hardware holds: {sizes}"
    return said + (f" (too many for: {', '.join(exceeded)})" if exceeded else "")
