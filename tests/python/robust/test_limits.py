"""Scarce memory: the program goes on, and the trace says what it lacks."""

from __future__ import annotations

from test_engine_process import ONE_BLOCK, program, python


def test_a_limit_on_address_space_below_what_is_taken_already():
    out = python(
        program(
            """
            import resource
            resource.setrlimit(resource.RLIMIT_AS, (400 << 20, 400 << 20))
            data, _ = trace_call(block)
            print(data.sum.live_bytes, data.lost)
            try:
                bytes(1 << 30)
            except MemoryError:
                print("short")
            """
        )
    )
    assert out.splitlines() == [f"{ONE_BLOCK['live_bytes']} {{}}", "short"]


def test_memory_runs_out_inside_the_scope():
    out = python(
        program(
            """
            import resource
            def hungry(kept):
                try:
                    while True:
                        kept.append(bytes(1 << 20))
                except MemoryError:
                    return len(kept)
            kept = []
            used = int(open("/proc/self/statm").read().split()[0]) * 4096
            resource.setrlimit(resource.RLIMIT_AS, (used + (64 << 20), used + (64 << 20)))
            data, count = trace_call(hungry, kept)
            print(count > 10)
            # Each block is recorded, or counted as lost: where it lies may need a new part of the page map.
            recorded = sum(line.self.live_bytes >> 20 for line in data.lines if line.function == "hungry")
            lost = sum(data.lost.values())
            print(recorded <= count, recorded + lost >= count)
            print(data.sum.live_bytes == data.sum.allocated_bytes - data.sum.freed_bytes)
            kept.clear()
            print(trace_call(block)[0].sum.live_bytes)
            """
        )
    )
    assert out.split() == ["True", "True", "True", "True", str(ONE_BLOCK["live_bytes"])]
