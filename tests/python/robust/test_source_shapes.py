"""Shapes of source text: whatever stands on a line is charged to that line, in that function."""

from __future__ import annotations

import sys

from engine import check, own_lines, trace_block, trace_call
from test_engine_scopes import block


def live_by_line(data, function):
    """Bytes alive of each line of the function, with what it called; distance from its `def`."""
    return {
        at: line.total.live_bytes
        for at, line in own_lines(data, function).items()
        if line.function.rpartition(".")[2] == function.__name__ and line.total.live_bytes
    }


def test_several_calls_on_one_line():
    def run():
        a, b, c = block(1000), block(2000), block(4000); d = block(500)  # fmt: skip  # noqa: E702
        return a, b, c, d

    data, it = trace_call(run)
    del it
    lines = own_lines(check(data), run)
    assert (lines[1].total.live_bytes, lines[1].total.live_count) == (7500, 4)
    assert lines[1].self.live_count == 0
    # One node for each call: they are told apart by instruction, and one line adds them up.
    sizes = sorted(node.total.live_bytes for node in data.root.children[0].children)
    assert sizes in ([7500], [500, 1000, 2000, 4000])


def test_a_statement_over_many_lines():
    def run():
        both = (
            block(1000)
            +
            block(
                2000
            )
        )  # fmt: skip
        named = dict(
            first=block(500),
            second=block(600),
        )
        return both, named["first"], named["second"]

    run()
    data, it = trace_call(run)
    del it
    by_line = live_by_line(check(data), run)
    calls = {line.number: line for line in data.lines}
    first = run.__code__.co_firstlineno
    allocated = {at: calls[first + at].total.allocated_bytes for at in (2, 4, 9, 10)}
    assert (allocated[4], allocated[9], allocated[10]) == (2000, 500, 600)
    # The operator's line is that of the whole expression: the sum of both stands where it begins.
    sum_bytes = 1000 + 2000 - b"".__sizeof__()
    assert allocated[2] == 1000 + sum_bytes
    assert by_line[2] == sum_bytes


def decorated(size):
    kept = block(size)

    def wraps(function):
        setattr(function, f"of_{size}", (kept, block(2 * size)))
        return function

    return wraps


def test_decorators():
    def run():
        @decorated(1000)
        @decorated(10_000)
        def inner():
            pass

        return inner

    data, it = trace_block(run)
    by_line = live_by_line(check(data), run)
    # A block's own bytes apart: closures, their cells and the function's dict come to less than 1,000.
    assert 33_000 <= sum(by_line.values()) < 34_000
    if sys.version_info >= (3, 11):  # before, the calls of what the decorators made have the line of the `def`
        assert 3000 <= by_line[1] < 4000
        assert 30_000 <= by_line[2] < 31_000
    assert it.of_1000 is not None


def test_a_class_body():
    def run():
        class Made:
            first = block(5000)

            second = [
                block(6000),
                block(7000),
            ]

        return Made

    run()
    data, it = trace_block(run)
    check(data)
    body = [line for line in data.lines if line.function.endswith("Made")]
    first = run.__code__.co_firstlineno
    sizes = {line.number - first: line.total.live_bytes for line in body}
    assert sizes[2] == 5000
    assert (sizes[5], sizes[6]) == (6000, 7000)
    assert it.first is not None


def test_an_import_inside_the_scope(tmp_path, monkeypatch):
    (tmp_path / "fresh_module.py").write_text(
        "size, first, later, second = 20_000, None, None, None\nfirst = b'x' * size\n"
        "\n\ndef later():\n    return b'y' * size\n\n\nsecond = later()\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "fresh_module", raising=False)

    def run():
        import fresh_module

        return fresh_module.later()

    data, it = trace_block(run)
    check(data)
    file = str(tmp_path / "fresh_module.py")
    head = b"".__sizeof__()
    own = {(line.function, line.number): line.self.live_bytes for line in data.lines if line.file == file}
    assert own["<module>", 2] == 20_000 + head
    assert own["later", 6] == 2 * (20_000 + head)  # `second` and what `run` returned
    total = {line.number: line.total.live_bytes for line in data.lines if line.file == file}
    assert total[9] == 20_000 + head
    del sys.modules["fresh_module"], it
