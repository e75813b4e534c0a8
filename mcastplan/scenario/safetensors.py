"""A user's own model: the ``model.safetensors.index.json`` that lies beside a sharded checkpoint.

``metadata.total_size`` is the tensors' bytes and ``weight_map`` names the file each tensor is in
(Hugging Face, https://huggingface.co/docs/safetensors). The files' own headers, some kB each, are
not in ``total_size`` and not counted.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from mcastplan.errors import ScenarioError
from mcastplan.model.transfer import Model
from mcastplan.scenario.names import slug
from mcastplan.scenario.quantities import MAX_SIZE_BYTES
from mcastplan.scenario.reading import Document, read_document
from mcastplan.scenario.words import printable, shown

SUFFIX = ".safetensors.index.json"
_MAX_TITLE = 200


def is_index(name: str) -> bool:
    """Whether a transfer's ``model`` names an index file rather than a row of the catalogue."""
    return name.endswith(SUFFIX)


def read_index(path: Path, name: str) -> Model:
    """The model in an index file, called ``name`` in errors. Raises `ScenarioError`."""
    document = read_document(path, name)
    try:
        return _model(document, path, name)
    except ScenarioError as error:
        error.source = name
        raise


def _model(document: Document, path: Path, name: str) -> Model:
    index = document.value
    if not isinstance(index, Mapping):
        raise ScenarioError(f"{shown(index)} is not a mapping; download the file again")
    metadata = index.get("metadata")
    size = metadata.get("total_size") if isinstance(metadata, Mapping) else None
    if size is None:
        what = "'total_size' is missing; give the transfer a size, or the index of a whole model"
        raise ScenarioError(what, "metadata")
    if isinstance(size, float) and size.is_integer():  # some tools write 1.41e+11
        size = int(size)
    if not isinstance(size, int) or isinstance(size, bool) or not 1 <= size <= MAX_SIZE_BYTES:
        what = f"{shown(size)} is not a number of bytes; download the file again"
        raise ScenarioError(what, "metadata.total_size")
    files = _files(index.get("weight_map"))
    title = printable(path.name.removesuffix(SUFFIX))[:_MAX_TITLE]
    return Model(
        name=slug(title) or "model",
        title=title,
        size_bytes=size,
        shards=len(files),
        precision="",
        source=f"{printable(name)}: metadata.total_size, and the files in weight_map",
    )


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
