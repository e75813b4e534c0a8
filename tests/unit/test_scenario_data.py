"""Catalogues, shipped files and published schemas."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import Any

import jsonschema
import pytest

from mcastplan.scenario import builtin_names, builtin_path, engines, models, schemas
from mcastplan.scenario.catalogue import SHARD_BYTES, mroute_limits, shards_of
from mcastplan.scenario.names import is_name
from mcastplan.scenario.sources import builtin_folder
from mcastplan.scenario.yamlcore import parse_yaml


def test_models() -> None:
    rows = {row.name: row for row in models()}
    assert len(rows) == len(models()) >= 15
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
        if "from parameter count x" in row.source:
            _, _, rest = row.source.partition("from parameter count x ")
            count = re.search(r"([0-9,]+)( billion)? parameters", rest)
            assert count is not None
            parameters = int(count[1].replace(",", "")) * (10**9 if count[2] else 1)
            assert row.size_bytes == parameters * int(rest.split()[0])
        # A file count is either published or derived, and the source says which.
        assert ("ceil(size / 5 GB)" in row.source) == (row.shards == shards_of(row.size_bytes))


def test_shards() -> None:
    assert [shards_of(size) for size in (1, SHARD_BYTES, SHARD_BYTES + 1)] == [1, 1, 2]


def test_engines() -> None:
    rows = {row.name: row for row in engines()}
    assert len(rows) == len(engines()) >= 6
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


def test_engines_that_replace_weights_in_place() -> None:
    """checkpoint-engine's README: 470 GB in 6.22 s on 8 x H800, 1,030 GB in 16.04 s on 16 x H20."""
    rows = {row.name: row for row in engines()}
    assert rows["checkpoint-engine-8gpu"].load_bps == pytest.approx(470e9 * 8 / 6.22, rel=1e-3)
    assert rows["checkpoint-engine-16xh20"].load_bps == pytest.approx(1030e9 * 8 / 16.04, rel=1e-3)
    assert rows["sglang-16xh100"].load_bps == pytest.approx(689e9 * 8 / 81, rel=1e-3)
    assert rows["vllm-8xgaudi2"].load_bps == pytest.approx(689e9 * 8 / 72, rel=1e-3)
    file_system = rows["vllm-8xb200-file-system"]
    assert file_system.load_bps == pytest.approx(894 * 2**30 * 8 / (43 * 60), rel=2e-3)
    station = rows["vllm-gb300-station"]
    assert station.load_bps == pytest.approx(352e9 * 8 / 744, rel=2e-3)
    assert 744 + station.graphs_s + station.warm_up_s == 820  # 09:45:00 to 09:58:40


def test_hardware_limits_of_multicast_state() -> None:
    rows = mroute_limits()
    assert [row.entries_low for row in rows] == [1_000, 16_000, 100_000, 128_000]
    assert all(row.source and row.entries >= row.entries_low for row in rows)


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
        ("size: 100GB", "size: 100Gbps"),
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
