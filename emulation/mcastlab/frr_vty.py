"""One command to one FRR daemon over its vty socket, as vtysh speaks it, without vtysh's start.

A command ends in a NUL; the answer is text, three NULs and a status byte (FRR lib/vty.c).
"""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

from mcastlab.errors import LabError

STATE = Path("/run/frr")
CMD_SUCCESS = 0
ANSWER_S = 10.0  # a daemon that does not answer by then is stuck
_END = b"\0\0\0"
# Which daemon owns a command: the first prefix that fits; else zebra.
_OWNERS = (
    ("show ip ospf", "ospfd"),
    ("show ipv6 ospf6", "ospf6d"),
    ("show bfd", "bfdd"),
    ("show ip pim", "pimd"),
    ("show ip igmp", "pimd"),
    ("show ip mroute", "pimd"),
    ("clear ip mroute", "pimd"),
)


def socket_of(host: str, daemon: str) -> Path:
    """The daemon's vty socket; it appears once the configuration is read."""
    return STATE / host / f"{daemon}.vty"


def owner(command: str) -> str:
    """The daemon that answers a command of enable mode."""
    return next((daemon for start, daemon in _OWNERS if command.startswith(start)), "zebra")


def ask(host: str, daemon: str, *commands: str) -> str:
    """What the daemon prints for the commands, in enable mode, one after another.

    Raises `LabError` with the first command that it refuses and what it said to it.
    """
    said = []
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as vty:
            vty.settimeout(ANSWER_S)
            vty.connect(str(socket_of(host, daemon)))
            for command in ("enable", *commands):
                vty.sendall(command.encode() + b"\0")
                text, status = _answer(vty)
                if status != CMD_SUCCESS:
                    what = " ".join(text.split()) or f"status {status}"
                    raise LabError(f"{host}: {daemon} refuses '{command}': {what}")
                said.append(text)
    except OSError as error:
        raise LabError(f"{host}: {daemon} does not answer on its vty: {error}") from error
    return "".join(said)


def ask_json(host: str, daemon: str, command: str) -> Any:
    """The command's JSON output. Raises `LabError` as `ask` does, or where it is not JSON."""
    text = ask(host, daemon, command)
    try:
        return json.loads(text or "{}")
    except json.JSONDecodeError as error:
        raise LabError(f"{host}: {daemon} answers '{command}' with {text[:80]!r}") from error


def _answer(vty: socket.socket) -> tuple[str, int]:
    got = bytearray()
    # The status byte may itself be 0, so the end is found by its place after the text.
    while (end := got.find(_END)) < 0 or len(got) < end + len(_END) + 1:
        part = vty.recv(1 << 16)
        if not part:
            raise ConnectionResetError("closed in the middle of an answer")
        got += part
    return got[:end].decode(errors="replace"), got[end + len(_END)]
