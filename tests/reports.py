"""A result that has everything a page may trip over; see `tests/networks.py` for plain ones."""

from __future__ import annotations

from mcastplan import compare, load_scenario
from mcastplan.model.results import Comparison
from mcastplan.report.json import render
from mcastplan.report.saved import decode

MOST_BYTES = 3_000_000  # of the demonstration's page
AWKWARD = "</script><script>alert(1)</script>"


def awkward() -> Comparison:
    """Around the Pacific, with two transfers.

    ::

        B (Tokyo) --- C (west) --- D (Chile)      Z (Sydney): no link, so never reached
             \\          |            |            F: no position
              A --------+-- (E) ------+
              |
              F

    A holds one row per BFR-id under BIER, more than the limit of 4: BIER is ruled out.
    """
    links = [
        *(("A", "B", 400), ("A", "C", 100), ("B", "C", 100), ("C", "D", 100)),
        *(("A", "E", 10), ("E", "D", 10), ("A", "F", 10)),
    ]
    places = {"A": (174.8, -36.8), "B": (139.7, 35.7), "C": (-122.4, 37.8), "D": (-70.7, -33.4)}
    places |= {"E": (-149.5, -17.5), "Z": (151.2, -33.9)}
    nodes: list[dict[str, object]] = [
        {"name": name, "lon": lon, "lat": lat} for name, (lon, lat) in places.items()
    ]
    nodes[1]["label"] = "<script>alert(1)</script>"
    scenario = {
        "schema": "mcastplan.scenario/1",
        "name": f"awkward \"quotes\" {AWKWARD} & 'more'",
        "topology": {
            "name": "pacific",
            "source": "<img src=x onerror=alert(1)>",
            "nodes": [*nodes, {"name": "F"}],
            "links": [{"a": a, "b": b, "capacity": f"{rate}Gbps"} for a, b, rate in links],
        },
        "clouds": [
            {
                **{"name": "tokyo", "node": "B", "ingress": "100Gbps", "replicas": 20},
                **{"fabric": "200Gbps", "engine": "vllm-8xh200"},
            },
            {"name": "west", "node": "C", "ingress": "25Gbps", "replicas": 6},
            {"name": "chile", "node": "D", "ingress": "40Gbps", "replicas": 6},
            {"name": "hidden", "node": "F", "ingress": "40Gbps", "replicas": 2},
            {"name": "sydney", "node": "Z", "ingress": "40Gbps", "replicas": 2},
        ],
        "transfers": [
            {
                **{"name": "push", "model": "deepseek-v3-fp8", "to": "all"},
                "origin": {"node": "A", "egress": "200Gbps"},
            },
            {
                **{"name": "delta", "size": "2GB", "start": "30s"},
                **{"origin": {"node": "C"}, "to": ["tokyo", "sydney"]},
            },
        ],
        "limits": {"state_entries": 4},
    }
    return decode(render(compare(load_scenario(scenario))), "awkward")
