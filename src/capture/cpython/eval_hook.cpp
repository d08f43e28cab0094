// SPDX-License-Identifier: MIT
#include "capture/cpython/eval_hook.hpp"

#include "capture/cpython/exit_events.hpp"

#if PY_VERSION_HEX < 0x030c0000

namespace malloc_tracer::capture::cpython {

bool watch(Watch& watch, PyObject* function, ScopeRef& scope, bool ends_scope) {
  add_watch(watch, function, scope, ends_scope);
  await_watched(true);
  return true;
}

void unwatch(Watch& watch) {
  if (!remove_watch(watch)) return;
  if (watches == nullptr) await_watched(false);
  Py_CLEAR(watch.function);
}

}  // namespace malloc_tracer::capture::cpython

#endif
