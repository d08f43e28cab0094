"""docs/exactness.md maps promises to tests: each file and test that it names is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ("tests/python", "tests/cpp", ".")
# `robust/test_threads.py`, `native/mappings_test.cpp::OfFilesDoNotCount`, or `::test` of the file named before it.
NAMED = re.compile(r"`([\w/]+\.(?:py|cpp))?(?:::(\w+))?`")


def named_tests() -> list[tuple[str, str]]:
    found, file = [], ""
    for match in NAMED.finditer((ROOT / "docs" / "exactness.md").read_text()):
        if match[0] != "``":
            file = match[1] or file
            found.append((file, match[2] or ""))
    return found


@pytest.mark.parametrize(("file", "test"), named_tests())
def test_what_the_map_names_is_there(file, test):
    paths = [path for folder in FOLDERS if (path := ROOT / folder / file).is_file()]
    assert paths, file
    assert re.search(rf"\b{test}\b", paths[0].read_text())
