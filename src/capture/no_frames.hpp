// SPDX-License-Identifier: MIT
#pragma once

#include "capture/thread.hpp"
#include "snapshot/snapshot.hpp"

namespace malloc_tracer::capture {

// The frame source of programs without Python: everything is charged to the thread.
struct NoFrames {
  static bool attached(Thread&) noexcept { return false; }
  static std::uint32_t path(Thread& thread, bool) noexcept { return thread.root; }
  static std::uint32_t known_path(Thread& thread, bool) noexcept { return thread.root; }
  static void refresh(Thread&) noexcept {}
  static bool find_lane(Thread& thread, Lane*& lane) noexcept {
    lane = thread.lane[0];
    return true;
  }
  static void meet(Thread&) noexcept {}
  static bool ours(Thread&, bool, std::uint64_t, snapshot::Allocator) noexcept { return false; }
};

}  // namespace malloc_tracer::capture
