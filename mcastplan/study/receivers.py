"""The same transfers, to fewer clouds: a what-if that renumbers nothing."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

import msgspec

from mcastplan.errors import UsageError
from mcastplan.evaluate.scheme import Context


def restrict(context: Context, to: Sequence[str]) -> Context:
    """Every transfer to those of its clouds that are in ``to``; one without any stays, to nobody,
    so that numbers given to transfers do not move. BFR-ids stay those of the whole scenario.

    Raises `UsageError` for a name that is no cloud, or a cloud that receives no transfer.
    """
    scenario = context.scenario
    receiving = {name for transfer in scenario.transfers for name in transfer.clouds}
    for name in to:
        if name not in scenario.cloud:
            close = difflib.get_close_matches(name[:80], sorted(receiving), n=3, cutoff=0.6)
            hint = f"; did you mean {' or '.join(map(repr, close))}?" if close else ""
            raise UsageError(f"no cloud {name!r} in scenario {scenario.name}{hint}")
        if name not in receiving:
            raise UsageError(f"cloud {name!r} receives no transfer of scenario {scenario.name}")
    if not to:
        raise UsageError("name at least one receiving cloud")
    demands = tuple(
        msgspec.structs.replace(
            demand.only(to), unreachable=tuple(name for name in demand.unreachable if name in to)
        )
        for demand in context.demands
    )
    return msgspec.structs.replace(context, demands=demands)
