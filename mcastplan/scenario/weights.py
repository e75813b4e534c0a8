"""An index against the weights beside it: which of its files lie there, and with how many bytes.

Only names and sizes are looked at, and the few lines of a Git LFS pointer, which stands where a
file was not downloaded and tells its size (https://git-lfs.com, version 1). Not looked at: files in
other folders, and what is in a file.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from mcastplan.errors import ScenarioError
from mcastplan.scenario.words import listed, shown
from mcastplan.units import counted, show_size

# A file's own header and padding are well below this; wrong indexes are off by far more.
_TOLERANCE = 0.01
_WEIGHTS = re.compile(r".*\.(safetensors|gguf)|(pytorch_)?model.*\.(bin|h5|msgpack)|.*\.(pth|ckpt)")
_POINTER = b"version https://git-lfs.github.com/spec/v1\n"
_POINTER_BYTES = 1024  # a pointer is smaller, by its specification


def is_weights(name: str) -> bool:
    """Whether a file's name is that of weights, whole or a part."""
    return bool(_WEIGHTS.fullmatch(name.lower()))


def compare_with_files(
    folder: Path, index: str, files: Iterable[str], total_bytes: int, notes: list[str]
) -> None:
    """Add to ``notes`` what files beside an ``index`` contradict in it; nothing where none is.

    ``total_bytes`` [bytes] is what the index says they hold. Raises `ScenarioError` where other
    weights lie there in place of all that it names.
    """
    wanted = sorted(files)
    sizes = {name: size for name in wanted if (size := _size(folder, name)) is not None}
    if not sizes:
        if all(name == Path(name).name for name in wanted):  # other folders are not looked at
            _check_others(folder, wanted)
        return
    if missing := [name for name in wanted if name not in sizes]:
        notes.append(
            f"{index}: {len(missing):,} of the {len(wanted):,} files it names are not beside it"
            f" ({listed(shown(name) for name in missing[:3])}"
            f"{', ...' if len(missing) > 3 else ''}); the size of the whole is what it says,"
            f" {show_size(total_bytes)}."
        )
    found = sum(sizes.values())
    over = found > total_bytes * (1 + _TOLERANCE)
    if over or (not missing and found < total_bytes * (1 - _TOLERANCE)):
        what = f"the {len(sizes):,} of its files beside it" if missing else "its files beside it"
        notes.append(
            f"{index}: it says {show_size(total_bytes)} in all, but {what} hold"
            f" {show_size(found)}; planned with what it says. Give the transfer a size if the files"
            " are right."
        )


def _size(folder: Path, name: str) -> int | None:
    """Bytes of a file in ``folder``, or None; those of the file a pointer stands for."""
    if name != Path(name).name or "\0" in name:
        return None
    path = folder / name
    try:
        if not path.is_file():
            return None
        size = path.stat().st_size
        if size < _POINTER_BYTES:
            text = path.read_bytes()
            match = re.search(rb"^size ([0-9]{1,18})$", text, re.MULTILINE)
            if text.startswith(_POINTER) and match:
                return int(match[1])
    except OSError:
        return None
    return size


def _check_others(folder: Path, wanted: list[str]) -> None:
    try:
        others = sorted(path.name for path in folder.iterdir() if is_weights(path.name))
    except OSError:
        return
    if not others:
        return
    one = others[0]
    size = _size(folder, one)
    held = "" if size is None else f" ({show_size(size)})"
    more = f" and {counted(len(others) - 1, 'other')}" if len(others) > 1 else ""
    none = "which does not lie" if len(wanted) == 1 else "none of which lies"
    raise ScenarioError(
        f"names {counted(len(wanted), 'file')}, {none} beside it, while {shown(one)}{held}{more}"
        " does; give the transfer a size, or that file's own index",
        "weight_map",
    )
