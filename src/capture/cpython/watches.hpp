// SPDX-License-Identifier: MIT
#pragma once

#include "capture/cpython/exit_events.hpp"
#include "capture/cpython/frame_layout.hpp"
#include "capture/cpython/mutex.hpp"
#include "capture/world.hpp"

// The list of watched functions, shared by the families' exit events. Requires the GIL and
// `watching`.
namespace malloc_tracer::capture::cpython {

inline Watch* watches = nullptr;
inline Mutex watching;

inline void add_watch(Watch& watch, PyObject* function, ScopeRef& scope, bool ends_scope) noexcept {
  Py_INCREF(function);
  watch = Watch{function, &scope, ends_scope, watches};
  watches = &watch;
}

inline bool remove_watch(Watch& watch) noexcept {
  for (Watch** link = &watches; *link != nullptr; link = &(*link)->next) {
    if (*link != &watch) continue;
    *link = watch.next;
    return true;
  }
  return false;
}

inline bool is_watched(const Frame* frame) noexcept {
  for (Watch* watch = watches; watch != nullptr; watch = watch->next) {
    if (runs(frame, watch->function)) return true;
  }
  return false;
}

// `starts`: a call begins; else a generator or coroutine goes on.
inline void frame_entered(const Frame* frame, bool starts) noexcept {
  for (Watch* watch = watches; watch != nullptr; watch = watch->next) {
    if (!runs(frame, watch->function)) continue;
    if (starts && here().paused == 0) watch->calls++;  // a paused thread's calls are the tracer's
    activate(*watch->scope, here(), ScopeFrame{frame, code_of(frame), true});
  }
}

inline void frame_left(const Frame* frame, bool finished) noexcept {
  for (Watch* watch = watches; watch != nullptr; watch = watch->next) {
    if (runs(frame, watch->function)) suspend(*watch->scope, here(), finished && watch->ends_scope);
  }
}

}  // namespace malloc_tracer::capture::cpython
