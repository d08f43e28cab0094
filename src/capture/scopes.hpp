// SPDX-License-Identifier: MIT
#pragma once

#include "capture/engine.hpp"

// Opening, activating, suspending and closing scopes. Not hook safe (called by the program, not by
// malloc); any thread, any order.
//
//   open --activate--> active <--activate/suspend--> suspended --close--> snapshot
//
// A scope records allocations only while active, and frees of its blocks until it is closed. An
// activation belongs to a thread; a threads="all" scope is active everywhere while any of its
// activations runs.
namespace malloc_tracer::capture {

// Where a scope's own frame is, for the markers in call paths.
struct ScopeFrame {
  const void* frame = nullptr;  // nullptr: none, paths start at the thread's bottom
  const void* code = nullptr;
  bool inclusive = true;  // false: the scope begins above this frame
};

// An id of 0 if the engine could not start or every id is taken.
ScopeRef open_scope(bool all_threads) noexcept;
bool is_open(ScopeRef scope) noexcept;
void activate(ScopeRef scope, Thread& thread, ScopeFrame where) noexcept;
// `finished`: an activation has returned (not only paused); when it was the last, what is freed
// from here on is undone in the snapshot, unless the scope becomes active again.
void suspend(ScopeRef scope, Thread& thread, bool finished) noexcept;
// The scope so far. Empty if it is not open (a forked child).
snapshot::Snapshot snapshot_of(ScopeRef scope);
void close_scope(ScopeRef scope) noexcept;
// Forgets what was recorded so far; activations go on. Blocks recorded before belong to nobody.
ScopeRef reset_scope(ScopeRef scope) noexcept;

}  // namespace malloc_tracer::capture
