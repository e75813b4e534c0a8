"""Measurements as a lab could have made them: real predictions, and numbers near them."""

from __future__ import annotations

import msgspec

from mcastplan.converge.failures import failure_rows
from mcastplan.lab.build import build
from mcastplan.lab.predict import predict
from mcastplan.lab.spec import LabPush, LabSpec
from mcastplan.model.measurement import (
    ArcBytes,
    Calibration,
    Lab,
    Machine,
    Measured,
    Measurement,
    Predicted,
    Replica,
    Run,
    TableCheck,
)
from mcastplan.scenario import load_scenario
from mcastplan.scenario.failing import failures_of

MACHINE = Machine(
    kernel="6.1.0",
    cpu="Example CPU at 2.5 GHz",
    cores=4,
    memory_bytes=16 << 30,
    frr="8.4.4",
    uftp="4.10.2",
    mininet="2.3.0.dev6",
)
CALIBRATION = Calibration(
    date="2026-03-01",
    machine=MACHINE,
    topology="ring-with-chord",
    verify_bps=2.4e9,
    load_bps=4.1e9,
    timers={"carrier": 0.009, "silent": 0.271, "write": 0.0003, "join": 0.004, "program": 0.012},
    samples=10,
)
# How far each scheme's made-up numbers are from its prediction.
OFF = {
    "unicast": 1.06,
    "ingress-replication": 1.02,
    "pim-sm": 1.21,
    "sr-p2mp": 0.97,
    "bier": 1.05,
}


def calm(name: str = "lab-abilene") -> Measurement:
    """Five schemes, nothing fails."""
    spec = build(load_scenario(f"builtin:{name}"))
    runs = [
        made_up(spec, push, scheme)
        for scheme in spec.scenario.schemes.only or ()
        for push in spec.pushes
    ]
    return measurement(spec, runs)


def failing(name: str = "lab-diamond", link: str = "B,D", *, silent: bool = False) -> Measurement:
    """Four schemes, one link; an invalid run, a replica that was given up, a wrong table."""
    spec = build(load_scenario(f"builtin:{name}"))
    runs = []
    for scheme in ("ingress-replication", "pim-sm", "sr-p2mp", "bier"):
        run = made_up(spec, spec.pushes[0], scheme, link=link, silent=silent)
        if scheme == "pim-sm":
            late = replace_measured(run, worst_outage_s=3.2, bfd_flaps=2)
            runs.append(msgspec.structs.replace(late, invalid=("2 BFD sessions flapped",)))
            run = replace_measured(
                msgspec.structs.replace(run, attempt=2),
                tables=(
                    TableCheck("A", "show ip mroute", ("iif o1",), ("iif o1",)),
                    TableCheck("B", "show ip mroute", ("iif e1", "oif c1"), ("iif e1",)),
                ),
            )
        if scheme == "ingress-replication":
            last = run.measured.replicas[-1]
            gone = Replica(last.cloud, last.index, "gave-up", first_byte_s=last.first_byte_s)
            run = replace_measured(run, replicas=(*run.measured.replicas[:-1], gone))
        runs.append(run)
    return measurement(spec, runs)


def hostile() -> Measurement:
    """Texts that a page must not take for markup, and a run in which nothing came."""
    result = failing()
    bad = "</script><script>alert(1)</script>|*x*"
    run = result.runs[0]
    nothing = replace_measured(
        run,
        transfer_s=None,
        ready_s=None,
        worst_outage_s=None,
        sent_bps=None,
        links=(),
        replicas=(Replica(bad, 0, "unfinished"),),
        drops={bad: 3},
    )
    run = msgspec.structs.replace(nothing, scheme=bad, transfer=bad, invalid=(bad,))
    return msgspec.structs.replace(result, scenario=bad, assumptions=(bad,), runs=(run,))


def replace_measured(run: Run, **changes: object) -> Run:
    return msgspec.structs.replace(run, measured=msgspec.structs.replace(run.measured, **changes))


def made_up(
    spec: LabSpec, push: LabPush, scheme: str, *, link: str | None = None, silent: bool = False
) -> Run:
    failure = row = None
    if link is not None:
        [failure] = failures_of(spec.scenario, [link], silent=silent)
        failure = msgspec.structs.replace(failure, at_s=4.0)
        row = failure_rows(spec.scenario, [failure])[0]
    said = predict(spec, push, scheme, CALIBRATION, failure, probe=link is not None)
    return Run(
        scheme=scheme,
        transfer=push.transfer,
        attempt=1,
        invalid=(),
        failure=row,
        measured=near(spec, push, said, OFF[scheme]),
        predicted=said,
    )


def near(spec: LabSpec, push: LabPush, said: Predicted, off: float) -> Measured:
    """What could have been measured: times ``off`` times the prediction, links nearer."""
    slight = 1 + (off - 1) / 5
    clouds = {cloud.name: cloud for cloud in said.clouds}
    replicas = []
    for site in spec.receiving(push):
        cloud = clouds[site.cloud]
        assert cloud.ready_s is not None and cloud.transfer_s is not None
        for one in site.replicas:
            later = off + 0.01 * one.index
            first = (said.setup_s or 0.0) * off + 0.02
            last = first + cloud.transfer_s * later
            rest = (cloud.ready_s - cloud.transfer_s) * later
            outage = None if cloud.outage_s is None else cloud.outage_s * off
            replicas.append(
                Replica(
                    cloud=one.cloud,
                    index=one.index,
                    status="ready",
                    first_byte_s=first,
                    last_byte_s=last,
                    verified_s=last + 0.6 * rest,
                    loaded_s=last + 0.95 * rest,
                    ready_s=last + rest,
                    outage_s=outage,
                    outages=None if outage is None else int(outage > 0),
                    probes_lost=None if outage is None else round(1000 * outage),
                )
            )
    outages = [one.outage_s for one in replicas if one.outage_s is not None]
    return Measured(
        setup_s=(said.setup_s or 0.0) * off,
        probe_bps=said.rate_bps / 0.95 * slight if said.rate_bps else None,
        sent_bps=said.rate_bps * slight if said.rate_bps else None,
        binding=(said.binding_arc,) if said.binding_arc and said.rate_bps else (),
        transfer_s=max((one.last_byte_s or 0.0) - (one.first_byte_s or 0.0) for one in replicas),
        ready_s=max(one.ready_s or 0.0 for one in replicas),
        worst_outage_s=max(outages, default=None),
        repaired_bytes=said.repaired_bytes * off,
        cpu=0.43,
        bfd_flaps=0,
        replicas=tuple(replicas),
        links=tuple(
            msgspec.structs.replace(
                each, wire_bytes=each.wire_bytes * (1 + (slight - 1) * (number % 3))
            )
            for number, each in enumerate(said.links)
        ),
        tables=tuple(
            TableCheck(router.name, "bier map", ("row 1",), ("row 1",))
            for router in spec.routers
            if said.rate_bps
        ),
    )


def measurement(spec: LabSpec, runs: list[Run]) -> Measurement:
    return Measurement(
        schema="mcastplan.measurement/1",
        scenario=spec.scenario.name,
        date="2026-03-02",
        machine=MACHINE,
        calibration=CALIBRATION,
        lab=Lab(
            rate_scale=spec.rate_scale,
            size_scale=spec.size_scale,
            mtu=spec.mtu,
            routers=len(spec.routers),
            links=len(spec.scenario.topology.links),
            replicas=sum(len(site.replicas) for site in spec.sites),
            size_bytes=max(push.size_bytes for push in spec.pushes),
            shards=max(push.shards for push in spec.pushes),
            converged_s=7.4,
            worst_link_error=0.012,
            netem=spec.netem,
        ),
        assumptions=spec.scenario.assumptions,
        runs=tuple(runs),
    )


def arcs(*rows: tuple[str, str, float]) -> tuple[ArcBytes, ...]:
    """Core arcs with so many wire bytes."""
    return tuple(
        ArcBytes(a, b, "--".join(sorted((a, b))), "core", size, round(size / 1538), 0)
        for a, b, size in rows
    )
