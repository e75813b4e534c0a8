"""Catalogues, shipped files and published schemas."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import jsonschema
import pytest

from mcastplan.scenario import builtin_names, builtin_path, engines, models, schemas
from mcastplan.scenario.catalogue import SHARD_BYTES, shards_of
from mcastplan.scenario.names import is_name
from mcastplan.scenario.sources import builtin_folder
from mcastplan.scenario.yamlcore import parse_yaml


def test_models() -> None:
    rows = {row.name: row for row in models()}
    assert len(rows) == len(models()) >= 8
    assert (rows["deepseek-v3-fp8"].size_bytes, rows["deepseek-v3-fp8"].shards) == (
        689 * 10**9,
        163,
    )
    assert (rows["kimi-k3-mxfp4"].size_bytes, rows["kimi-k3-mxfp4"].shards) == (1560 * 10**9, 118)
    for row in models():
        assert is_name(row.name)
        assert 70e9 <= row.size_bytes <= 1.6e12
        assert row.title
        assert row.precision
        # A file count is either published or derived, and the source says which.
        assert ("ceil(size / 5 GB)" in row.source) == (row.shards == shards_of(row.size_bytes))


def test_shards() -> None:
    assert [shards_of(size) for size in (1, SHARD_BYTES, SHARD_BYTES + 1)] == [1, 1, 2]


def test_engines() -> None:
    rows = {row.name: row for row in engines()}
    assert len(rows) == len(engines()) >= 2
    for row in engines():
        assert is_name(row.name)
        assert row.source
        assert row.load_bps > 0
        assert row.verify_bps > 0
        assert 0 <= row.compile_cached_s <= row.compile_s
    # The two totals the source gives: 7 min 00 s, and 1 min 44 s with compile caches shipped,
    # 11 s of each for the weights.
    b200 = rows["vllm-8xb200"]
    rest_s = b200.graphs_s + b200.warm_up_s
    assert 11 + b200.compile_s + rest_s == 420
    assert 11 + b200.compile_cached_s + rest_s == 104


def test_shipped_files_say_where_they_come_from() -> None:
    names = [*builtin_names(), *builtin_names("topology")]
    assert {"minimal", "abilene", "geant", "global-inference"} <= set(names)
    table = (builtin_folder() / "README.md").read_text()
    for name in names:
        text = (builtin_folder() / f"{name}.yaml").read_text()
        header = text[: text.index("\nschema:")]
        assert all(line.startswith("#") for line in header.splitlines())
        assert "Licence" in header
        assert "Purpose" in header
        assert f"`{name}.yaml`" in table


@pytest.mark.parametrize("name", sorted(schemas()))
def test_schemas_are_schemas(name: str) -> None:
    schema = schemas()[name]
    jsonschema.Draft202012Validator.check_schema(schema)
    top = schema["$defs"][schema["$ref"].rpartition("/")[2]]
    assert top["properties"]["schema"]["const"] == name


def test_file_schemas_allow_no_other_keys() -> None:
    for name in ("mcastplan.scenario/1", "mcastplan.topology/1"):
        objects = [d for d in schemas()[name]["$defs"].values() if d["type"] == "object"]
        assert objects
        assert all(d["additionalProperties"] is False for d in objects)


def _valid(value: Any, schema: str) -> bool:
    return bool(jsonschema.Draft202012Validator(schemas()[schema]).is_valid(value))


def test_shipped_files_fit_the_schemas() -> None:
    for kind in ("scenario", "topology"):
        for name in builtin_names(kind):  # type: ignore[arg-type]
            value = parse_yaml(builtin_path(f"builtin:{name}", "scenario").read_text())
            assert _valid(value, f"mcastplan.{kind}/1")


def test_schema_refuses_what_the_reader_refuses() -> None:
    text = builtin_path("builtin:minimal", "scenario").read_text()
    for old, new in [
        ("ingress: 8Gbps", "ingress: 8"),
        ("ingress: 8Gbps", "ingress: 8GB"),
        ("ingress: 8Gbps", "ingres: 8Gbps"),
        ("size: 1GB", "size: 1Gbps"),
        ("to: all", "to: some"),
        ("to: all", "to: []"),
        ("name: A", "name: A b"),
        ("scenario/1", "scenario/2"),
    ]:
        assert old in text
        assert not _valid(parse_yaml(text.replace(old, new, 1)), "mcastplan.scenario/1")


def test_importing_the_package_stays_cheap() -> None:
    code = "import sys, mcastplan.scenario; print(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"networkx", "topohub", "numpy", "scipy", "click"} & set(done.stdout.split())
