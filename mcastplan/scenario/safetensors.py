"""A user's own model: the index that lies beside a sharded checkpoint.

``metadata.total_size`` is the tensors' bytes and ``weight_map`` names the file each tensor is in
(Hugging Face, https://huggingface.co/docs/safetensors): ``model.safetensors.index.json``,
``pytorch_model.bin.index.json`` and their like hold the same. The files' own headers, some kB each,
are not in ``total_size`` and not counted. Which of the files lie beside the index, and with which
sizes, is compared (`mcastplan.scenario.weights`); none need to.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from mcastplan.errors import ScenarioError
from mcastplan.model.transfer import Model
from mcastplan.scenario.names import slug
from mcastplan.scenario.quantities import MAX_SIZE_BYTES
from mcastplan.scenario.reading import Document, read_document
from mcastplan.scenario.weights import compare_with_files
from mcastplan.scenario.words import printable, shortened, shown

_SUFFIX = re.compile(r"(\.[A-Za-z0-9]+)?\.index(\.[A-Za-z0-9_-]+)?\.json|\.json")
# What every checkpoint is called; the folder's name tells two of them apart.
_ANYBODYS = frozenset({"model", "pytorch_model", "diffusion_pytorch_model", "tf_model"})
_MAX_TITLE = 200


def is_index(name: str) -> bool:
    """Whether a transfer's ``model`` names a file rather than a row of the catalogue."""
    return name.lower().endswith(".json")


def read_index(path: Path, name: str, notes: list[str]) -> Model:
    """The model in an index file, called ``name`` in errors. Raises `ScenarioError`.

    Adds to ``notes`` where the files beside it differ from what it says.
    """
    document = read_document(path, name)
    try:
        return _model(document, path, name, notes)
    except ScenarioError as error:
        error.source = name
        raise


def _model(document: Document, path: Path, name: str, notes: list[str]) -> Model:
    index = document.value
    if not isinstance(index, Mapping):
        raise ScenarioError(f"{shown(index)} is not a mapping; download the file again")
    if "metadata" not in index and "weight_map" not in index:
        what = "is not the index of a sharded model ('metadata' and 'weight_map' are missing)"
        advice = "name its model.safetensors.index.json, or give the transfer a size"
        raise ScenarioError(f"{what}; {advice}")
    metadata = index.get("metadata")
    size = metadata.get("total_size") if isinstance(metadata, Mapping) else None
    if size is None:
        what = "'total_size' is missing; give the transfer a size, or the index of a whole model"
        raise ScenarioError(what, "metadata")
    if isinstance(size, float) and size.is_integer():  # some tools write 1.41e+11
        size = int(size)
    if not isinstance(size, int) or isinstance(size, bool) or not 1 <= size <= MAX_SIZE_BYTES:
        where = "metadata.total_size"
        said = shown(size) if isinstance(size, str) else document.written(where) or shown(size)
        what = f"{shortened(said)} is not a number of bytes; download the file again"
        raise ScenarioError(what, where)
    files = _files(index.get("weight_map"))
    compare_with_files(path.parent, printable(name), files, size, notes)
    title = _title(path)
    return Model(
        name=slug(title) or "model",
        title=title,
        size_bytes=size,
        shards=len(files),
        precision="",
        source=f"{printable(name)}: metadata.total_size, and the files in weight_map",
    )


def _title(path: Path) -> str:
    """The index's own name, or its folder's where the file is called as all of them are."""
    title = _SUFFIX.sub("", path.name)
    folder = path.parent.resolve().name  # of the file as it is named, wherever a link leads
    if title in _ANYBODYS and slug(folder):
        title = folder
    return printable(title)[:_MAX_TITLE]


def _files(weights: object) -> set[str]:
    where = "weight_map"
    if not isinstance(weights, Mapping) or not weights:
        what = "is missing or empty; it maps each tensor to its file: download the file again"
        raise ScenarioError(what, where)
    files: set[str] = set()
    for tensor, file in weights.items():
        if not isinstance(file, str) or not file:
            what = f"{shown(tensor)} is in {shown(file)}, which is no file; download it again"
            raise ScenarioError(what, where)
        files.add(file)
    return files
