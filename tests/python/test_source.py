"""Where a line's source text comes from, and what a listing says when there is none."""

import linecache
import sys
import zipfile

import pytest

import malloc_tracer
from sizes import array

FUNCTION = """\
def target():
    data = bytearray(8000)  # live bytearray(8000)
    return data
"""
SCRIPT = FUNCTION + "import malloc_tracer\nmalloc_tracer.trace(target)\n"
LISTED = [
    "     1                  def target():",
    "     2       7.9 KiB        data = bytearray(8000)  # live bytearray(8000)",
    "     3                      return data",
]
NUMBER_ONLY = "     2       7.9 KiB    "


def rows(output):
    return [line for line in output.splitlines() if line[:6].strip().isdigit() and "raw" not in line]


def made(file):
    names = {"__name__": "made"}
    exec(compile(FUNCTION, file, "exec"), names)
    return names["target"]


def test_file(python, tmp_path):
    (tmp_path / "script.py").write_text(SCRIPT)
    assert rows(python("script.py")) == LISTED


def test_module_from_another_folder_and_after_chdir(python, tmp_path):
    (tmp_path / "mod.py").write_text(FUNCTION)
    (tmp_path / "sub").mkdir()
    code = "import mod, os, malloc_tracer; os.chdir('sub'); malloc_tracer.trace(mod.target)"
    assert rows(python("-c", code)) == LISTED


def test_module_inside_an_archive(python, tmp_path):
    with zipfile.ZipFile(tmp_path / "mods.zip", "w") as archive:
        archive.writestr("mod.py", FUNCTION)
    out = python(
        "-c", "import sys; sys.path.insert(0, 'mods.zip'); import mod, malloc_tracer; malloc_tracer.trace(mod.target)"
    )
    assert rows(out) == LISTED
    assert f'File "{tmp_path}/mods.zip/mod.py"' in out or 'File "mods.zip/mod.py"' in out


def test_related_lines_of_a_module_inside_an_archive(python, tmp_path):
    with zipfile.ZipFile(tmp_path / "mods.zip", "w") as archive:
        archive.writestr("mod.py", FUNCTION)
    code = (
        "import sys; sys.path.insert(0, 'mods.zip'); import mod, malloc_tracer as m\n"
        "m.trace(lambda: mod.target(), related_traces_output_mode=m.RelatedTracesOutputMode.FOR_EACH_FILE)"
    )
    assert LISTED[1] in python("-c", code)


def test_command_line_code(python):
    out = python("-c", SCRIPT)
    if sys.version_info >= (3, 13):
        assert rows(out) == LISTED
    else:
        assert rows(out) == [NUMBER_ONLY]
        assert "(no source: <string> was compiled from a string, without an entry in linecache)" in out


def test_standard_input_script(python):
    out = python("-", stdin=SCRIPT)
    assert NUMBER_ONLY in out
    assert f"Total allocated size: 7.9 KiB (raw {array(8000)} B)" in out


def test_interactive_interpreter(python):
    out = python("-i", stdin=FUNCTION + "\n" + SCRIPT[len(FUNCTION) :])
    if sys.version_info >= (3, 13):
        assert rows(out) == LISTED
    else:
        assert rows(out) == [NUMBER_ONLY]
        assert "no source: typed into the interpreter, which keeps what is typed from Python 3.13 on only" in out


def test_notebook_cell_and_exec_with_a_linecache_entry(traced):
    for file in ("<ipython-input-1-0123456789ab>", "/tmp/ipykernel_1/123.py"):
        linecache.cache[file] = (len(FUNCTION), None, FUNCTION.splitlines(keepends=True), file)
        try:
            t = traced(made(file)).as_marked()
        finally:
            del linecache.cache[file]
        assert t.source[0] == "def target():"
        assert f'File "{file}"' in t.text


def test_module_with_a_loader(traced):
    class Loader:
        @staticmethod
        def get_source(name):
            return FUNCTION

    names = {"__name__": "loaded", "__loader__": Loader}
    exec(compile(FUNCTION, "/nowhere/loaded.py", "exec"), names)
    linecache.lazycache("/nowhere/loaded.py", names)
    traced(names["target"]).as_marked()


@pytest.mark.parametrize(
    ("file", "reason"),
    [
        ("<string>", "<string> was compiled from a string, without an entry in linecache"),
        ("<made>", "<made> was compiled from a string, without an entry in linecache"),
        ("/nowhere/made.py", "/nowhere/made.py cannot be read"),
    ],
)
def test_without_source_the_numbers_appear_by_line_number(traced, file, reason):
    t = traced(made(file))
    assert f"(no source: {reason})" in t.text
    assert rows(t.text) == [NUMBER_ONLY]
    assert t.trace.line(made(file), 2).self.live_bytes == array(8000)
    assert t.trace.line(file, 2).self.live_bytes == array(8000)


def test_file_that_changed_since(python, tmp_path):
    (tmp_path / "mod.py").write_text(FUNCTION)
    code = "import mod, malloc_tracer; open('mod.py', 'w').write('x = 1\\ny = 2\\n'); malloc_tracer.trace(mod.target)"
    out = python("-c", code)
    assert "mod.py has changed since it was compiled)" in out
    assert rows(out) == [NUMBER_ONLY]


def decorator(*numbers):
    return lambda function: function


@decorator(
    1,
    2,
)
# a comment
@decorator()
def decorated(
    size=8000,
):
    """A docstring

    over several lines."""
    text = """
not indented
"""
    data = bytearray(size)  # live bytearray(8000)

    return data if text else None
    # still inside


# outside


def test_what_of_a_function_is_shown(traced):
    """As in 1.7: from the first decorator to the last line or comment of the body."""
    t = traced(decorated).as_marked()
    assert t.source[0] == "@decorator("
    assert t.source[-1] == "# still inside"
    assert "# outside" not in t.text


def test_only_the_listed_function_is_shown_but_all_is_counted(traced):
    def helper():
        return bytearray(8000)

    def target():
        data = helper()
        return data

    target()  # before 3.11 a first call leaves its frame, a block like others
    t = traced(target)
    assert t.source == ["def target():", "data = helper()", "return data"]
    assert "     0         0 B   (raw 0 B)" in t.text
    assert f"Total allocated size: 7.9 KiB (raw {array(8000)} B)" in t.text
    assert t.trace.line(target, target.__code__.co_firstlineno + 1).total.live_bytes == array(8000)


def test_source_of_other_encodings_and_line_ends(python, tmp_path):
    text = "# -*- coding: latin-1 -*-\r\ndef target():\r\n\tdata = bytearray(8000)  # \xe9\r\n\treturn data\r\n"
    (tmp_path / "mod.py").write_bytes(text.encode("latin-1"))
    out = python("-c", "import mod, malloc_tracer; malloc_tracer.trace(mod.target)", PYTHONIOENCODING="utf-8")
    assert "     3       7.9 KiB            data = bytearray(8000)  # \xe9" in out.splitlines()


def test_a_stream_that_cannot_encode_gets_escapes(python, tmp_path):
    (tmp_path / "mod.py").write_text("def target():\n    return 'é'\n", encoding="utf-8")
    out = python("-c", "import mod, malloc_tracer; malloc_tracer.trace(mod.target)", PYTHONIOENCODING="ascii")
    assert "return '\\xe9'" in out


def test_module_without_its_loader_is_found_by_its_file():
    assert malloc_tracer._source.file_lines(__file__)[0].startswith('"""Where a line')
    assert malloc_tracer._source.file_lines("/nowhere") == []
