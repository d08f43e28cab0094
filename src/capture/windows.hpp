// SPDX-License-Identifier: MIT
#pragma once

#include "capture/engine.hpp"

// Windows: interned sorted sets of scope ids. Set operations are looked up, not computed. Requires
// for all: `intern` held or the world stopped. Hook safe.
namespace malloc_tracer::capture {

bool window_has(WindowId window, ScopeId scope) noexcept;
std::uint32_t window_rank(WindowId window,
                          ScopeId scope) noexcept;  // scopes of the window below `scope`
WindowId window_with(WindowId window, ScopeId scope) noexcept;
WindowId window_without(WindowId window, ScopeId scope) noexcept;
WindowId window_union(WindowId a, WindowId b) noexcept;
// The scope leaves the set, which keeps its id. Gives the window that is the same set already;
// kNoWindow: none is, and the window is to be published or forgotten.
WindowId window_shrink(WindowId window, ScopeId scope) noexcept;
// Lets equal sets find the window again. Requires: it has been shrunk, and no other is the same
// set.
void window_publish(WindowId window) noexcept;
// Requires: no account and no thread has it any more.
void window_forget(WindowId window) noexcept;
// Drops cached results; needed whenever a window id or a scope id may be reused.
void window_cache_clear() noexcept;

}  // namespace malloc_tracer::capture
