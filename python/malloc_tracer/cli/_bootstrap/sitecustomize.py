"""Run by `site` at the start of every Python child of `malloc-tracer run --children`, whose PYTHONPATH has this folder.

It makes way for the sitecustomize that the child would have had, and then starts recording.
"""

import os
import sys

_here = os.path.dirname(os.path.abspath(__file__))
sys.path[:] = [path for path in sys.path if os.path.abspath(path) != _here]
_this = sys.modules.pop("sitecustomize")
try:
    import sitecustomize  # type: ignore[import-not-found]  # noqa: F401  (the child's own)
except ImportError as error:
    if error.name != "sitecustomize":
        raise
finally:
    sys.modules.setdefault("sitecustomize", _this)

try:
    from malloc_tracer.cli._children import start
except ImportError:  # an interpreter that does not have malloc_tracer runs unrecorded
    pass
else:
    start()
