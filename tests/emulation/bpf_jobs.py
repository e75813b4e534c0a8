"""What the tests of `mcastlab.bpf` do inside a sandbox."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mcastlab import bpf
from mcastlab.bpf_maps import possible_cpus
from mcastlab.errors import LabError
from tests.emulation.bier_node import Namespaces

SOURCE = """
#include "common.h"
struct { __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY); __uint(max_entries, 4);
         __type(key, __u32); __type(value, __u64); } counts SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 8);
         __type(key, __u32); __type(value, __u32); } list SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_HASH); __uint(max_entries, 2);
         __type(key, __u32); __type(value, __u64); } table SEC(".maps");
SEC("tc") int count(struct __sk_buff *skb) {
    __u32 key = 1;
    __u64 *value = bpf_map_lookup_elem(&counts, &key);
    if (value)
        (*value)++;
    bpf_map_lookup_elem(&list, &key);
    bpf_map_lookup_elem(&table, &key);
    return NEXT_PROGRAM;
}
char _license[] SEC("license") = "GPL";
"""
UNVERIFIABLE = """
#include "common.h"
SEC("tc") int wild(struct __sk_buff *skb) { return *(int *)(long)skb->data; }
char _license[] SEC("license") = "GPL";
"""
FOLDER, PINS = Path("/run/mcastlab/sources"), Path("/run/bpf/bpf-test")


def _object(name: str, text: str) -> Path:
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / f"{name}.bpf.c").write_text(text)
    return bpf.compile(name, sources=FOLDER)


def maps() -> dict[str, Any]:
    """What is written, read, listed and deleted."""
    loaded = bpf.load(_object("three", SOURCE), PINS)
    table, numbers, counts = (loaded.map(name) for name in ("table", "list", "counts"))
    table.update(b"\1\0\0\0", b"12345678")
    table.update(b"\2\0\0\0", b"abcdefgh")
    items = sorted((key.hex(), value.decode()) for key, value in table.items())
    deleted = [table.delete(b"\1\0\0\0"), table.delete(b"\1\0\0\0")]
    gone = table.lookup(b"\1\0\0\0")
    numbers.update(b"\3\0\0\0", b"wxyz")
    counts.update(b"\1\0\0\0", (5).to_bytes(8, "little"))
    cpus = [each.hex() for each in counts.lookup_percpu(b"\1\0\0\0")]
    child = os.fork()
    if not child:
        table.update(b"\7\0\0\0", b"of child")
        os._exit(0)
    os.waitpid(child, 0)
    return {
        "items": items,
        "deleted": deleted,
        "gone": gone,
        "number": (numbers.lookup(b"\3\0\0\0") or b"").decode(),
        "cpus": cpus,
        "possible": possible_cpus(),
        "sum": counts.sum_u64(1),
        "child": (table.lookup(b"\7\0\0\0") or b"").decode(),
    }


def attached() -> dict[str, Any]:
    """Programs come, count, are replaced and leave nothing."""
    network = Namespaces("r1", "r2")
    one, two = (network.host[name] for name in ("r1", "r2"))
    one.ip(f"link add e1 type veth peer name e1 netns {two.pid}")
    for each in (one, two):
        each.ip("link set e1 up", "address add 10.0.0.1/24 dev e1")
    loaded = bpf.load(_object("three", SOURCE), PINS)
    program = loaded.program("count")

    def filters() -> list[int]:
        argv = ["nsenter", f"--net=/proc/{one.pid}/ns/net", "tc"]
        shown = [
            subprocess.run(
                [*argv, *what.split()], capture_output=True, text=True, check=True
            ).stdout
            for what in ("filter show dev e1 ingress", "filter show dev e1 egress", "qdisc show")
        ]
        return [shown[0].count("handle"), shown[1].count("handle"), shown[2].count("clsact")]

    steps = [filters()]
    for way, priority in (("ingress", 1), ("ingress", 1), ("ingress", 2), ("egress", 7)):
        bpf.attach(network, "r1", "e1", way, program, priority)  # type: ignore[arg-type]
        steps.append(filters())
    for way, priority in (("ingress", 1), ("ingress", 2), ("egress", 7)):
        bpf.detach(network, "r1", "e1", way, priority)  # type: ignore[arg-type]
        steps.append(filters())
    bpf.unload(loaded)
    return {"steps": steps, "pins": [each.name for each in PINS.parent.rglob("*count*")]}


def refusals() -> dict[str, str]:
    """One line each."""
    network = Namespaces("r1")
    loaded = bpf.load(_object("three", SOURCE), PINS)
    program = loaded.program("count")
    table = loaded.map("table")

    def fill() -> None:
        for number in range(3):
            table.update(number.to_bytes(4, "little"), bytes(8))

    tried: dict[str, Callable[[], object]] = {
        "compile": lambda: _object("broken", "int main(void) { return nothing; }"),
        "verify": lambda: bpf.load(_object("wild", UNVERIFIABLE), PINS.with_name("wild")),
        "twice": lambda: bpf.load(_object("three", SOURCE), PINS),
        "no map": lambda: loaded.map("nothing"),
        "full": fill,
        "port": lambda: bpf.attach(network, "r1", "e9", "ingress", program),  # type: ignore[arg-type]
        "not there": lambda: bpf.detach(network, "r1", "lo", "ingress"),  # type: ignore[arg-type]
    }
    said = {}
    for name, call in tried.items():
        try:
            call()
        except LabError as error:
            said[name] = str(error)
    said["left of wild"] = str(PINS.with_name("wild").exists())
    return said
