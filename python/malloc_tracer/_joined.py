"""What the surroundings ask of `@profile` and `Scope`: nothing at all (`MALLOC_TRACER=0`), or to join a report."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType

    from ._profile import Profile
    from ._scope import Scope

is_off = os.environ.get("MALLOC_TRACER") == "0"

# Set by `malloc-tracer run`, called unrecorded: with every new Profile, with every Scope that has ended, and with the
# code object that `@profile` copies and its copy.
on_profile: Callable[[Profile], None] | None = None
on_scope: Callable[[Scope], None] | None = None
on_copy: Callable[[CodeType, CodeType], None] | None = None
