"""Scenarios, damaged: changes that know the structure, and changes that know nothing but bytes.

Every choice comes from the given `random.Random`, so a seed is a case.
"""

from __future__ import annotations

import copy
import json
import random
import re
from collections.abc import Iterator
from typing import Any

import yaml

# What a key may say and hardly anybody writes: it must work.
EXTREMES: dict[str, tuple[Any, ...]] = {
    "rate": ("1bps", "1000Pbps", "3.7kbps", "1Tbps", "0.000000001Gbps", "999 Pbps"),
    "size": ("1B", "1000PB", "1KiB", "5000000001B", "700GB", "0.001 kB"),
    "time": ("0s", "1ns", "1000s", "0.000000000001ns", "40ms", "3min", "999999us"),
    "replicas": (1, 2, 999_999, 1_000_000),
    "mtu": (576, 577, 600, 1500, 65_535),
    "metric": (1, 2, 2**31),
    "route_factor": (1, 10, 1.0000001, 9.999),
    "state_entries": (1, 2, 3, 2**31),
    "usd_per_gb": (0, 1e-12, 1e6, 0.02),
    "lon": (-180, 180, 0, 1e-300),
    "lat": (-90, 90, 0, -1e-300),
    "bsl": (64, 128, 256, 512, 1024, 2048, 4096),
    "sub_domain": (0, 255),
}
# Just beyond: these must be refused.
ABSURD: dict[str, tuple[Any, ...]] = {
    "rate": ("0.000000000001bps", "999999999999999Pbps", "0bps", "-1bps"),
    "size": ("0.5B", "999999999999999PB", "0B", "1bps"),
    "time": ("277778h", "1000000000.1s", "-1s", "12:30"),
    "replicas": (0, 1_000_001, 1.5),
    "mtu": (0, 575, 65_536, 10**30),
    "metric": (0, 2**31 + 1, 0.5, "delay"),
}
CHOICES: dict[str, tuple[Any, ...]] = {
    "fanout": ("multicast", "cache"),
    "engine": ("none", "vllm-8xh200"),
    "load": ("after", "streamed"),
    "receivers": ("new", "known"),
    "waypoints": ("merge", "keep"),
    "per": ("replica", "cloud"),
    "dataplane": ("srv6", "mpls"),
    "objective": ("min-cost", "shortest"),
    "update": ("make-before-break", "in-place"),
    "bfr_ids": ("dense", "by-tree"),
    "timers": ("tuned", "lab", "no-bfd", "frr-defaults", {"preset": "lab", "join": "1h"}),
    "spt_switchover": (True, False),
    "ship_compile_cache": (True, False),
    "only": (["bier"], ["unicast", "pim-sm"], ["sr-p2mp"], ["ingress-replication"]),
}
# (key of the section, or "" for the whole) -> what may be added to it, or to each of its entries
OPTIONS: dict[str, dict[str, tuple[Any, ...]]] = {
    "": {
        "limits": tuple({"state_entries": n} for n in (1, 5, 10**6)),
        "timers": CHOICES["timers"],
        "schemes": tuple({"only": names} for names in CHOICES["only"]),
        "underlay": ({"ecmp": "hash"}, {"metric": "hops"}, {"waypoints": "keep"}),
    },
    "underlay": {
        "ecmp": ("first", "hash"),
        "metric": ("delay", "hops", "explicit"),
        **{key: EXTREMES[key] for key in ("mtu", "route_factor")},
        "capacity": EXTREMES["rate"],
        "waypoints": CHOICES["waypoints"],
    },
    "clouds": {
        **{key: CHOICES[key] for key in ("fanout", "engine")},
        **dict.fromkeys(("fabric", "egress", "ingress"), EXTREMES["rate"]),
        "replicas": EXTREMES["replicas"],
        "provision": EXTREMES["time"],
    },
    "transfers": {
        **{key: CHOICES[key] for key in ("load", "receivers", "ship_compile_cache")},
        "start": EXTREMES["time"],
    },
    "nodes": {"lon": EXTREMES["lon"], "lat": EXTREMES["lat"], "kind": ("waypoint", "city")},
    "links": {
        **dict.fromkeys(("metric", "metric_reverse"), EXTREMES["metric"]),
        **dict.fromkeys(("capacity", "capacity_reverse"), EXTREMES["rate"]),
        "delay": EXTREMES["time"],
        "srlgs": ([], ["duct"], ["a", "b"]),
    },
    "origin": {"egress": EXTREMES["rate"]},
    "bier": {"ecmp": ("node", "bfer"), "bsl": EXTREMES["bsl"], "bfr_ids": CHOICES["bfr_ids"]},
    "schemes": {
        "unicast": ({"per": "cloud"}, {"per": "replica"}),
        "bier": tuple({"bsl": bsl, "bfr_ids": "by-tree"} for bsl in EXTREMES["bsl"]),
        "sr-p2mp": ({"dataplane": "mpls"}, {"objective": "shortest"}, {"update": "in-place"}),
        "pim-sm": ({"mode": "ssm"}, {"mode": "asm", "rp": "A"}, {"mode": "asm", "rp": "NL"}),
        "only": CHOICES["only"],
    },
}
HOSTILE: tuple[Any, ...] = (
    *(
        None,
        True,
        False,
        0,
        -1,
        1,
        10**30,
        -(10**30),
        2**31,
        2**63,
        2**64,
        0.1,
        -0.0,
        1e308,
        5e-324,
    ),
    *(float("nan"), float("inf"), float("-inf"), [], {}, [[]], [{}], {"": {}}, "", " ", "\n", "\0"),
    *("NO", "12:30", "010", "1_000", "~", "null", "yes", "<<", "*a", "&a", "!!str", "- a", "a: b"),
    *("../../etc/passwd", "/etc/passwd", "/dev/zero", "builtin:../x", "topohub:../x", "file:///x"),
    *("<script>alert(1)</script>", "[red]x[/red]", "%s%n{0}", "$(id)", "`id`", "a\x1b[31m", "\x7f"),
    *("é", "e\u0301", "\u202e\u2066", "\ud800", "\U0001f600", "\ufeff", "１０Gbps", "А", "x" * 400),
    *("A--B", "-", ".", "..", "a/b", "a\\b", "con", "40 Gbps", "40Gbps ", "1e3Gbps", "-1s", "+1s"),
)
_DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
_QUANTITY = re.compile(
    r"^[0-9.]+ ?(?:(?P<rate>\w?bps)|(?P<size>\w{0,2}B)|(?P<time>ns|us|ms|s|min|h))$"
)

Path = tuple[Any, Any]  # a container and the key or index in it


def places(value: Any) -> Iterator[Path]:
    """Every (container, key) in the value."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, item in list(items):
        yield value, key
        if isinstance(item, dict | list):
            yield from places(item)


def _kind(key: Any, item: Any) -> str | None:
    """The row of `EXTREMES` that fits."""
    if isinstance(item, str) and (match := _QUANTITY.match(item)):
        return match.lastgroup
    return key if key in EXTREMES else None


def plausible(value: Any, dice: random.Random) -> None:
    """Another value that the format allows: most of these are planned."""
    spots = list(places(value))
    dice.shuffle(spots)
    for box, key in spots:
        if key in CHOICES and key != "only":
            box[key] = copy.deepcopy(dice.choice(CHOICES[key]))
            return
        if kind := _kind(key, box[key]):
            rows = ABSURD if kind in ABSURD and dice.random() < 0.05 else EXTREMES
            box[key] = dice.choice(rows[kind])
            return


def add_option(value: Any, dice: random.Random) -> None:
    """A key that stands nowhere yet, where its kind of mapping can have it."""
    boxes = [("", value)]
    for box, key in places(value):
        items = box[key] if isinstance(box[key], list) else [box[key]]
        boxes += ((key, item) for item in items if isinstance(item, dict) and key in OPTIONS)
    section, box = dice.choice(boxes)
    key = dice.choice(list(OPTIONS[section]))
    box[key] = copy.deepcopy(dice.choice(OPTIONS[section][key]))


def drop(value: Any, dice: random.Random) -> None:
    box, key = dice.choice(list(places(value)))
    del box[key]


def repeat(value: Any, dice: random.Random) -> None:
    """An item of a list once more, as it is or a little different."""
    lists = [box[key] for box, key in places(value) if isinstance(box[key], list) and box[key]]
    if lists:
        chosen = dice.choice(lists)
        item = copy.deepcopy(dice.choice(chosen))
        if isinstance(item, dict) and dice.random() < 0.9:
            item.update({key: f"{item[key]}x" for key in ("name", "id") if key in item})
        chosen.insert(dice.randrange(len(chosen) + 1), item)


def replace(value: Any, dice: random.Random) -> None:
    box, key = dice.choice(list(places(value)))
    box[key] = copy.deepcopy(dice.choice(HOSTILE))


def retype(value: Any, dice: random.Random) -> None:
    box, key = dice.choice(list(places(value)))
    item = box[key]
    wrapped = (str(item), [item], {"x": item}, [item, item], len(str(item)), bool(item))
    box[key] = dice.choice(wrapped)


def swap(value: Any, dice: random.Random) -> None:
    """The values of two places, or one key for another."""
    (a, i), (b, j) = dice.choice(list(places(value))), dice.choice(list(places(value)))
    if isinstance(a, dict) and isinstance(b, dict) and dice.random() < 0.5:
        a[j] = a.pop(i)
    else:
        a[i], b[j] = copy.deepcopy(b[j]), copy.deepcopy(a[i])


def rename(value: Any, dice: random.Random) -> None:
    keyed = [(box, key) for box, key in places(value) if isinstance(box, dict)]
    if keyed:
        box, key = dice.choice(keyed)
        box[dice.choice((key[:-1], key.upper(), f"{key}s", "", "x.y[0]", "é", key + "\0"))] = (
            box.pop(key)
        )


def nest(value: Any, dice: random.Random) -> None:
    box, key = dice.choice(list(places(value)))
    for _ in range(dice.choice((1, 3, 63, 64, 65, 200))):
        box[key] = [box[key]] if dice.random() < 0.5 else {"a": box[key]}


WILD = (drop, repeat, replace, retype, swap, rename, nest, add_option)


def mutated(value: Any, dice: random.Random) -> Any:
    """A copy with one to six changes; two in three cases have plausible ones only."""
    value = copy.deepcopy(value)
    if dice.random() < 0.67:
        for _ in range(dice.choice((1, 2, 3, 6))):
            dice.choice((plausible, plausible, add_option, repeat))(value, dice)
        return value
    for _ in range(dice.choice((1, 1, 2, 3))):
        if value:
            dice.choice((plausible, *WILD))(value, dice)
    return value


def written(value: Any, dice: random.Random) -> tuple[str, bytes]:
    """(suffix, bytes): as JSON, as YAML in flow style, or as YAML in block style."""
    style = dice.random()
    if style < 0.15:
        try:
            text = yaml.dump(
                value, Dumper=_DUMPER, allow_unicode=dice.random() < 0.5, sort_keys=False
            )
            return "yaml", text.encode("utf-8", "surrogatepass")
        except (yaml.YAMLError, UnicodeEncodeError):  # half a character
            pass
    text = json.dumps(value, ensure_ascii=dice.random() < 0.5)
    return ("json" if style < 0.5 else "yaml"), text.encode("utf-8", "surrogatepass")


def damaged(data: bytes, dice: random.Random) -> bytes:
    """Bytes flipped, cut off, cut out, repeated or put in."""
    if not data:
        return data
    at = dice.randrange(len(data))
    match dice.randrange(6):
        case 0:
            return data[:at] + bytes([data[at] ^ (1 << dice.randrange(8))]) + data[at + 1 :]
        case 1:
            return data[:at]
        case 2:
            return data[:at] + data[at + dice.randrange(1, 40) :]
        case 3:
            return data[:at] + data[at : at + dice.randrange(1, 200)] + data[at:]
        case 4:
            return data[:at] + dice.randbytes(dice.randrange(1, 6)) + data[at:]
        case _:
            lines = data.split(b"\n")
            lines.insert(dice.randrange(len(lines) + 1), dice.choice(lines))
            return b"\n".join(lines)
