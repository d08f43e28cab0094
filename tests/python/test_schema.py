"""docs/trace-format.schema.json against real files: what is saved is what the schema says, and the other way round."""

import copy
import json
import shutil
from pathlib import Path

import jsonschema
import pytest

import malloc_tracer
from command_line import CommandLine

ROOT = Path(__file__).parents[2]
SCHEMA = json.loads((ROOT / "docs/trace-format.schema.json").read_text())
CHECKER = jsonschema.Draft202012Validator(SCHEMA)
EXAMPLES = sorted(path.name for path in (ROOT / "examples").glob("*.py"))


def check(document):
    """That the document is as the schema says, and has nothing that the schema does not speak of."""
    errors = [f"{error.json_path}: {error.message}" for error in CHECKER.iter_errors(document)]
    assert errors == []
    assert unknown(document, SCHEMA) == []


def unknown(value, schema, at="$"):
    """The members of objects for which the schema has no property."""
    if not isinstance(value, dict):
        return []
    known = schema.get("properties", {})
    found = [f"{at}.{name}" for name in value if name not in known]
    return found + [
        path for name in value if name in known for path in unknown(value[name], known[name], f"{at}.{name}")
    ]


def work(count):
    rows = [bytes(100) for _ in range(count)]
    return rows[::2]


def more_work(count):
    return work(count), bytearray(5000)


@pytest.fixture
def cli(tmp_path):
    return CommandLine(tmp_path)


@pytest.fixture(scope="module")
def traces():
    return [malloc_tracer.trace(function, args=(20,), quiet=True) for function in (work, more_work)]


def test_the_schema_is_one():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples(cli, name):
    shutil.copy(ROOT / "examples" / name, cli.folder)
    done = cli.run("-o", "x.json", name)
    assert done.code == 0, done.err
    check(json.loads((cli.folder / "x.json").read_text()))


def test_a_trace_a_difference_and_a_sum(traces):
    one, two = traces
    with malloc_tracer.Scope() as scope:
        pass
    for trace in (one, two.diff(one), one.diff(two), malloc_tracer.merge(traces), scope.trace):
        document = json.loads(trace.report("json"))
        check(document)
        assert document["difference"] == ("earlier" in document["rows"])


def test_patterns_and_a_file_without_source(tmp_path):
    patterns = {"include_patterns": ["*/mine/*", "x"], "exclude_patterns": ['"\udce9*']}
    trace = malloc_tracer.trace(work, args=(20,), quiet=True, **patterns)
    trace.save(tmp_path / "x.json", source=False)
    document = json.loads((tmp_path / "x.json").read_text())
    check(document)
    assert (document["listing"]["include"], document["listing"]["exclude"]) == tuple(patterns.values())


def test_a_run_with_children(cli):
    cli.file("child.py", "kept = [bytes(100) for _ in range(50)]\n")
    cli.file(
        "parent.py",
        "import subprocess, sys\nkept = bytearray(1000)\nsubprocess.run([sys.executable, 'child.py'], check=True)\n",
    )
    done = cli.run("--children", "-o", "x.json", "parent.py")
    assert done.code == 0, done.err
    document = json.loads((cli.folder / "x.json").read_text())
    check(document)
    assert str(cli.folder / "child.py") in document["strings"]


def test_a_file_of_the_first_writers_is_of_this_schema_and_read(tmp_path):
    path = ROOT / "tests/golden/trace_before_block_sizes.json"
    document = json.loads(path.read_text())
    check(document)
    assert "block_sizes" not in document
    assert not {"include", "exclude"} & set(document["listing"])
    trace = malloc_tracer.load(path)
    assert (trace.live_bytes, trace.allocated_count, trace.block_sizes) == (3044, 50, [])
    assert trace.line("load", 2).self.live_bytes == 2716 + 192
    assert "     2       2.8 KiB        rows = [bytes(100) for _ in range(count)]\n" in str(trace)
    trace.save(tmp_path / "again.json")
    assert malloc_tracer.load(tmp_path / "again.json") == trace
    new = malloc_tracer.trace(work, args=(20,), quiet=True)
    assert new.block_sizes != []
    for mixed in (malloc_tracer.merge([new, trace]), malloc_tracer.merge([trace, new]), new.diff(trace)):
        assert mixed.block_sizes == []
        check(json.loads(mixed.report("json")))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("version",), 2),
        (("format",), "x"),
        (("sum", "live_bytes"), 1.5),
        (("rows", "node"), [-1]),
        (("files", "kind"), ["ours"]),
        (("timeline", "ns"), [0] * 1025),
        (("block_sizes",), [0] * 66),
        (("block_sizes",), [0.5]),
        (("listing", "include"), [1]),
        (("listing", "related"), "some"),
    ],
)
def test_what_is_wrong_is_seen(traces, path, value):
    document = copy.deepcopy(json.loads(traces[0].report("json")))
    part = document
    for name in path[:-1]:
        part = part[name]
    part[path[-1]] = value
    assert not CHECKER.is_valid(document)


@pytest.mark.parametrize("name", [name for name in SCHEMA["required"] if name != "strings"])
def test_what_is_missing_is_seen(traces, name):
    document = json.loads(traces[0].report("json"))
    del document[name]
    assert not CHECKER.is_valid(document)
