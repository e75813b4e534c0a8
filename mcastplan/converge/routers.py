"""What each router went through: the stages of its own changes, one after the other."""

from __future__ import annotations

from collections.abc import Iterable

from mcastplan.model.change import Cause, Update
from mcastplan.model.timeline import RouterTimeline, Span
from mcastplan.model.topology import Graph, Node


def routers(graph: Graph, updates: Iterable[Update]) -> tuple[RouterTimeline, ...]:
    """Routers that change something, those that change first first."""
    by_node: dict[Node, list[Update]] = {}
    for update in sorted(updates, key=lambda one: (one.at_s, one.node)):
        by_node.setdefault(update.node, []).append(update)
    return tuple(
        RouterTimeline(graph.names[node], tuple(_spans(each))) for node, each in by_node.items()
    )


def _spans(updates: Iterable[Update]) -> list[Span]:
    """Chains of one router's updates, cut so that they do not overlap: what came first stays."""
    found: list[Span] = []
    for update in updates:
        chain = _chain(update.cause)
        at_s = chain[0].until_s
        if found:
            at_s = max(at_s, found[-1].to_s)
        for cause in chain[1:]:
            if cause.until_s > at_s:
                last = found[-1] if found else None
                if last is not None and last.stage == cause.stage and last.to_s == at_s:
                    found[-1] = Span(cause.stage, last.from_s, cause.until_s)
                else:
                    found.append(Span(cause.stage, at_s, cause.until_s))
                at_s = cause.until_s
    return found


def _chain(cause: Cause) -> list[Cause]:
    chain = [cause]
    while chain[-1].before is not None:
        chain.append(chain[-1].before)
    chain.reverse()
    return chain
