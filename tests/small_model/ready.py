"""From bits at a site to replicas that answer: a fabric with a queue, files, an engine."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import pairwise
from typing import Any

from tests.small_model.net import exact
from tests.small_model.rates import Curve


def through(curve: Curve, fabric_bps: float) -> Curve:
    """How the bits leave a fabric that passes on what comes, at its own rate at most.

    What does not fit stands in a queue. Between two points of the arrival the queue grows, or
    shrinks until it is empty, and then bits leave as they come.
    """
    if fabric_bps == math.inf:
        return list(curve)
    fabric = exact(fabric_bps)
    now, gone = curve[0]
    left = [(now, gone)]
    for (before, had), (at, has) in pairwise(curve):
        coming = (has - had) / (at - before)
        if coming < fabric:
            empty = before + (had - gone) / (fabric - coming)
            if before < empty < at:
                gone += fabric * (empty - before)
                left.append((empty, gone))
            gone = has if empty <= at else gone + fabric * (at - before)
        else:
            gone += fabric * (at - before)
        left.append((at, gone))
    at, has = curve[-1]
    if gone < has:
        left.append((at + (has - gone) / fabric, has))
    return left


def when(curve: Curve, bits: Fraction) -> Fraction:
    """The instant at which so many bits are there."""
    for (before, had), (at, has) in pairwise(curve):
        if has >= bits:
            return before + (bits - had) / (has - had) * (at - before)
    raise ValueError("they never come")


def loaded(files: list[Fraction], verify: Fraction, load: Fraction) -> Fraction:
    """When the last file is in memory: one at a time is verified, and one at a time loaded."""
    verified = in_memory = files[0]
    for there in files:
        verified = max(there, verified) + verify
        in_memory = max(verified, in_memory) + load
    return in_memory


def ready(cloud: Any, transfer: Any, curve: Curve, *, direct: bool, cached: bool) -> Any:
    """(fan-out [s], instant at which a replica is ready). ``direct``: it pulled its own copy;
    ``cached``: the site's copy was stored, then all replicas fetch it together."""
    bits = Fraction(transfer.size_bytes) * 8
    end = curve[-1][0]
    out = curve
    if cached and not direct:
        lasts = Fraction(0)
        if cloud.fabric_bps < math.inf:
            lasts = cloud.replicas * bits / exact(cloud.fabric_bps)
        out = [(end, Fraction(0)), (end + lasts, bits)]
    elif not direct:
        out = through(curve, cloud.fabric_bps)
    engine = cloud.engine
    verify = _lasts(bits, engine.verify_bps) if engine else Fraction(0)
    load = _lasts(bits, engine.load_bps) if engine else Fraction(0)
    if transfer.load == "streamed":
        shards = transfer.shards
        files = [when(out, bits * number / shards) for number in range(1, shards + 1)]
        at = loaded(files, verify / shards, load / shards)
    else:
        at = out[-1][0] + verify + load
    if engine:
        compile_s = engine.compile_cached_s if transfer.ship_compile_cache else engine.compile_s
        at += exact(compile_s) + exact(engine.graphs_s) + exact(engine.warm_up_s)
    return out[-1][0] - end, at


def _lasts(bits: Fraction, rate_bps: float) -> Fraction:
    return Fraction(0) if rate_bps == math.inf else bits / exact(rate_bps)
