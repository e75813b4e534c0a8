"""The clouds and origins on the map: where they stand, and what a bubble over each says."""

from __future__ import annotations

from mcastplan.model.results import ArcEnds, Comparison, SchemeResult
from mcastplan.report import read
from mcastplan.units import counted, show_time

_LINES = 12  # in one bubble


class Sites:
    """``routers``: router -> clouds on it that receive something. ``origins`` are routers."""

    def __init__(self, result: Comparison) -> None:
        self._result = result
        self._labels = read.labels(result)
        self._about: dict[str, str] = {}
        self.routers: dict[str, list[str]] = {}
        self.origins: tuple[str, ...] = ()
        if result.question is None:
            return
        transfers = result.question.transfers
        self.origins = tuple(dict.fromkeys(each.origin for each in transfers))
        wanted = {name for each in transfers for name in each.clouds}
        for cloud in result.question.clouds:
            if cloud.name in wanted:
                self.routers.setdefault(cloud.node, []).append(cloud.name)
                self._about[cloud.name] = (
                    f"cloud {cloud.name} on router {self._full(cloud.node)}:"
                    f" ingress {read.rate(cloud.ingress_bps)}, {counted(cloud.replicas, 'replica')}"
                )

    def _full(self, node: str) -> str:
        """A router's name, with its label where that says more."""
        label = self._labels.get(node)
        return f"{node} ({label})" if label else node

    def origin_tip(self, node: str) -> str:
        return f"router {self._full(node)}: origin of the push"

    def cloud_tips(self, scheme: SchemeResult) -> dict[str, str]:
        """Router -> what is known about the clouds on it under this scheme."""
        said: dict[str, list[str]] = {name: [] for name in self._about}
        for each in scheme.transfers:
            for done in each.clouds:
                if done.name in said and done.replica_groups:
                    last = max(group.ready_s for group in done.replica_groups)
                    label = read.named(self._result, done.name, each.name)
                    said[done.name].append(f"{label}: all ready after {show_time(last)}")
            for name in each.unreachable:
                if name in said:
                    label = read.named(self._result, name, each.name)
                    said[name].append(f"{label}: not reached")
        return {
            node: "\n".join(
                [line for name in names for line in (self._about[name], *said[name])][:_LINES]
            )
            for node, names in self.routers.items()
        }


def necks(scheme: SchemeResult) -> list[ArcEnds]:
    """The arcs that hold up a transfer."""
    return [each.binding_arc for each in scheme.transfers if each.binding_arc is not None]


def narrow_clouds(scheme: SchemeResult) -> set[str]:
    """Clouds whose own ingress holds up a transfer."""
    ends = {arc.target for arc in necks(scheme) if arc.link is None}
    return {end.removeprefix("cloud:") for end in ends if end.startswith("cloud:")}
