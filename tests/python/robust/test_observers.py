"""Other observers of the program at the same time: trace and profile functions, monitoring tools, debuggers."""

from __future__ import annotations

import sys
import textwrap

import pytest

from test_engine_process import program, python

# `work` makes the same blocks whoever looks on; `seen` is what a scope says of them.
WORK = """
# Tables of keys, of dicts that an observer makes: 3.9 keeps them.
KEPT = (80 * 168, 80) if sys.version_info < (3, 10) else (0, 0)
def work():
    rows = [bytes(1000 + i) for i in range(20)]
    rows += [deeper(i) for i in range(20)]
    return rows
def deeper(n):
    if n > 0:
        return deeper(n - 1)
    return bytes(5000)
def seen():
    data, it = trace_call(work)
    check(data)
    return {
        (line.function, line.number): (line.self.live_bytes, line.self.live_count)
        for line in data.lines
        if line.function in ("work", "deeper") and line.self.live_bytes > KEPT[0] + 1000
    }
def same(numbers):
    if sys.version_info < (3, 12):
        # A frame object that an observer asks for is made in the observed line: up to 4 are alive at the end. Before
        # 3.11 cProfile keeps 3 blocks, 176 bytes, for each of the two functions that begin there, a trace function one.
        most = (226, 4) if sys.version_info >= (3, 11) else (2 * 176 + 64, 2 * 3 + 1)
        extra = [[numbers[at][i] - alone[at][i] for i in (0, 1)] for at in alone]
        assert all(0 <= size <= most[0] + KEPT[0] and 0 <= count <= most[1] + KEPT[1] for size, count in extra), extra
        return numbers.keys() == alone.keys()
    assert numbers == alone, (numbers, alone)
    return True
work()
alone = seen()
assert len(alone) == 2, alone
"""

ALONE = "nonzero(check(trace_call(block)[0]).sum) == ONE_BLOCK"

OBSERVERS = {
    "settrace": """
        def tracer(frame, event, arg): return tracer
        sys.settrace(tracer)
        with_it = seen()
        sys.settrace(None)
    """,
    "settrace with opcodes": """
        def tracer(frame, event, arg):
            frame.f_trace_opcodes = True
            return tracer
        sys.settrace(tracer)
        with_it = seen()
        sys.settrace(None)
    """,
    "setprofile": """
        sys.setprofile(lambda frame, event, arg: None)
        with_it = seen()
        sys.setprofile(None)
    """,
    "threading.settrace": """
        import threading
        threading.settrace(lambda frame, event, arg: None)
        results = []
        thread = threading.Thread(target=lambda: results.append(seen()))
        thread.start()
        thread.join()
        with_it = results[0]
    """,
    "cProfile": """
        import cProfile
        profile = cProfile.Profile()
        profile.enable()
        with_it = seen()
        profile.disable()
        assert any(entry.code is deeper.__code__ for entry in profile.getstats())
    """,
    "profile": """
        import warnings
        warnings.simplefilter("ignore")  # deprecated from 3.15 on
        import profile
        namespace = {"seen": seen}
        profile.Profile().runctx("with_it = seen()", namespace, namespace)
        with_it = namespace["with_it"]
    """,
    "trace": """
        import trace
        tracer = trace.Trace(count=True, trace=False)
        with_it = tracer.runfunc(seen)
        assert any(number > 20 for number in tracer.results().counts.values())
    """,
    "coverage": """
        import coverage, tempfile
        with tempfile.NamedTemporaryFile("w", suffix=".py") as file:
            file.write("def covered(body):\\n    return body()\\n")
            file.flush()
            coverage_ = coverage.Coverage(data_file=None, include=[file.name], branch=True)
            coverage_.start()
            namespace = {}
            exec(compile(open(file.name).read(), file.name, "exec"), namespace)
            namespace["covered"](work)  # what coverage itself keeps of a function, it takes at the first call
            with_it = namespace["covered"](seen)
            coverage_.stop()
            assert coverage_.get_data().lines(file.name) == [1, 2]
    """,
    "a debugger that steps": """
        import bdb
        class Steps(bdb.Bdb):
            steps = 0
            def user_line(self, frame):
                self.steps += 1
                self.set_step()
        debugger = Steps()
        with_it = debugger.runcall(seen)
        assert debugger.steps > 100
    """,
    "a debugger with a breakpoint that never comes": """
        import bdb
        debugger = bdb.Bdb()
        debugger.set_trace = lambda *arguments: None
        with_it = debugger.runcall(seen)
    """,
    "faulthandler": """
        import faulthandler, tempfile
        out = tempfile.TemporaryFile()
        faulthandler.enable(out)
        faulthandler.register(12, out, all_threads=True)
        faulthandler.dump_traceback_later(1000, file=out)
        at_work = deeper
        def deeper(n):
            os.kill(os.getpid(), 12)
            return at_work(n)
        with_it = seen()
        deeper = at_work
        faulthandler.cancel_dump_traceback_later()
        faulthandler.disable()
        out.seek(0)
        assert out.read().count(b"in work") == 210  # one for each call of deeper
    """,
    "tracemalloc": """
        import tracemalloc
        tracemalloc.start(10)
        with_it = seen()
        tracemalloc.stop()
    """,
    "all of them": """
        import cProfile, faulthandler, tracemalloc
        tracemalloc.start(5)
        faulthandler.enable()
        def tracer(frame, event, arg): return tracer
        sys.settrace(tracer)
        profile = cProfile.Profile()
        profile.enable()
        with_it = seen()
        profile.disable()
        sys.settrace(None)
        tracemalloc.stop()
        faulthandler.disable()
    """,
}


@pytest.mark.parametrize("name", OBSERVERS)
def test_numbers_are_the_same_under_an_observer(name):
    if name == "coverage":
        pytest.importorskip("coverage")
    end = f"print(same(with_it), {ALONE})"
    assert python(program(WORK + textwrap.dedent(OBSERVERS[name]) + end)) == "True True\n"


@pytest.mark.skipif(sys.version_info < (3, 12), reason="sys.monitoring is new in 3.12")
@pytest.mark.parametrize("where", ["global", "local"])
def test_other_monitoring_tools(where):
    """One of them uses the very events that our exit events come from."""
    output = python(
        program(
            WORK
            + f"""
m = sys.monitoring
e = m.events
m.use_tool_id(m.DEBUGGER_ID, "debugger")
m.use_tool_id(m.COVERAGE_ID, "coverage")
counts = dict()
def counts_one(event):
    def one(*arguments): counts[event] = counts.get(event, 0) + 1
    return one
names = ["PY_START", "PY_RETURN", "PY_YIELD", "PY_RESUME", "LINE", "CALL", "INSTRUCTION"]
everywhere = ["PY_UNWIND", "RAISE", "C_RETURN", "C_RAISE"]
for tool in (m.DEBUGGER_ID, m.COVERAGE_ID):
    for name in names + everywhere * ({where!r} == "global"):
        m.register_callback(tool, getattr(e, name), counts_one(name))
local = e.PY_START | e.PY_RETURN | e.LINE | e.CALL | e.INSTRUCTION | e.PY_RESUME | e.PY_YIELD
if {where!r} == "global":
    m.set_events(m.DEBUGGER_ID, local | e.PY_UNWIND | e.RAISE)
else:
    m.set_local_events(m.DEBUGGER_ID, work.__code__, local)
    m.set_local_events(m.COVERAGE_ID, deeper.__code__, local)
with_it = seen()
started = counts["PY_START"], counts["PY_RETURN"]
m.set_events(m.DEBUGGER_ID, 0)
m.set_local_events(m.DEBUGGER_ID, work.__code__, 0)
m.set_local_events(m.COVERAGE_ID, deeper.__code__, 0)
m.free_tool_id(m.DEBUGGER_ID)
m.free_tool_id(m.COVERAGE_ID)
print(same(with_it), min(started) >= 1, {ALONE})
"""
        )
    )
    assert output == "True True True\n"


@pytest.mark.skipif(sys.version_info < (3, 12), reason="sys.monitoring is new in 3.12")
@pytest.mark.parametrize("free", range(6))
def test_one_monitoring_tool_number_is_free(free):
    output = python(
        program(f"""
        m = sys.monitoring
        for tool in range(6):
            if tool != {free}: m.use_tool_id(tool, str(tool))
        print(nonzero(check(trace_call(block)[0]).sum) == ONE_BLOCK)
        """)
    )
    assert output == "True\n"


@pytest.mark.skipif(sys.version_info < (3, 12), reason="sys.monitoring is new in 3.12")
def test_all_monitoring_tool_numbers_are_taken():
    """Then a function's exit cannot be watched: it says so, and a block scope still works."""
    output = python(
        program("""
        m = sys.monitoring
        for tool in range(6):
            if m.get_tool(tool) is None: m.use_tool_id(tool, str(tool))
        try:
            print(nonzero(check(trace_call(block)[0]).sum) == ONE_BLOCK)
        except RuntimeError as error:
            print("tool" in str(error))
        data, it = trace_block(block)
        print([nonzero(line.self) == ONE_BLOCK for line in check(data).lines if line.function == "block"])
        """)
    )
    assert output == "True\n[True]\n"


def test_faulthandlers_traceback_of_a_crash_inside_a_scope():
    output = python(
        program("""
        import ctypes, faulthandler
        faulthandler.enable(sys.stdout)
        def crashes(): ctypes.string_at(0)
        handle.run(crashes, (), None, crashes)
        """),
        rc=-11,
    )
    assert "in crashes" in output


def test_sys_settrace_set_inside_and_left_on():
    output = python(
        program("""
        events = []
        def tracer(frame, event, arg):
            events.append(event)
            return tracer
        def sets():
            sys.settrace(tracer)
            return block()
        data, it = trace_call(sets)
        more = block()
        sys.settrace(None)
        from engine import own_lines
        expected = dict(ONE_BLOCK)
        if sys.version_info < (3, 11):  # a table of keys for f_locals, too, which 3.9 keeps
            how = "live" if sys.version_info < (3, 10) else "freed"
            for name in ("allocated", "peak", how):
                expected[name + "_bytes"] = expected.get(name + "_bytes", 0) + 168
                expected[name + "_count"] = expected.get(name + "_count", 0) + 1
        line = nonzero(own_lines(check(data), block)[2].self)
        print(events.count("call") >= 2, line == expected)
        """)
    )
    assert output == "True True\n"
