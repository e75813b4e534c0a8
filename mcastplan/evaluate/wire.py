"""Bytes on the wire for one byte of payload."""

from __future__ import annotations

from mcastplan.errors import InfeasibleError
from mcastplan.model.plan import ReplicationPlan

# Ethernet 14 + FCS 4 + preamble and SFD 8 + inter-frame gap 12 (IEEE 802.3): outside the MTU.
FRAME_BYTES = 38


def payload_bytes(mtu: int, plan: ReplicationPlan) -> int:
    """Payload [B] of every packet of the plan: the MTU less IP, transport and the scheme's largest
    header, the same end to end. Raises `InfeasibleError` where nothing is left."""
    payload = mtu - plan.inner_bytes - plan.header_bytes
    if payload < 1:
        raise InfeasibleError(
            f"an MTU of {mtu} B leaves no payload under {plan.header_bytes} B of scheme header and"
            f" {plan.inner_bytes} B of IP and transport"
        )
    return payload


def wire_factor(payload: int, inner: int, copies: int = 1, header_bytes: int = 0) -> float:
    """Wire bytes on an arc per payload byte: ``copies`` packets with ``header_bytes`` in all."""
    return (copies * (payload + inner + FRAME_BYTES) + header_bytes) / payload
