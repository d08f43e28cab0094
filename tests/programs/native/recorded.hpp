// SPDX-License-Identifier: MIT
#pragma once

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>

#include "capture/native/native_hooks.hpp"
#include "capture/no_frames.hpp"
#include "capture/scopes.hpp"
#include "capture/world.hpp"

// What the programs of known allocations share: a scope around a function, and its numbers on
// standard output, one line per allocator:
//
//   malloc allocated 3/116 freed 1/100 live 2/16 peak 2/116 temporary 1 reallocated 0
//
// (blocks/bytes), then one line for every reason something was lost.
namespace recorded {

using malloc_tracer::snapshot::Allocator;
using malloc_tracer::snapshot::Counters;
using malloc_tracer::snapshot::Snapshot;
namespace capture = malloc_tracer::capture;

inline void start() {
  bool ready = capture::start_engine();
  capture::here();
  ready = ready && capture::native::install_native_hooks<capture::NoFrames>();
  capture::engine.session_hook = [](bool on) { capture::native::set_native_recording(on); };
  if (!ready) std::abort();
}

class Scope {
 public:
  Scope() : scope_((capture::native::rescan_modules(), capture::open_scope(true))) {
    capture::activate(scope_, capture::here(), {});
  }
  void end() { capture::suspend(scope_, capture::here(), true); }
  Snapshot finish() {
    capture::native::rescan_modules();
    Snapshot snapshot = capture::snapshot_of(scope_);
    capture::close_scope(scope_);
    return snapshot;
  }

 private:
  capture::ScopeRef scope_;
};

inline void print(const Snapshot& snapshot) {
  std::map<Allocator, Counters> sums;
  for (const auto& row : snapshot.rows) sums[row.allocator] += row.counters;
  const char* names[] = {"object", "mem", "raw", "malloc", "new", "mmap", "tracked"};
  for (const auto& [allocator, c] : sums) {
    std::printf(
        "%s allocated %lu/%lu freed %lu/%lu live %lu/%lu peak %lu/%lu temporary %lu reallocated "
        "%lu\n",
        names[static_cast<int>(allocator)], c.allocated_count, c.allocated_bytes, c.freed_count,
        c.freed_bytes, c.live_count, c.live_bytes, c.peak_count, c.peak_bytes, c.temporary_count,
        c.reallocated_count);
  }
  for (const auto& [reason, count] : snapshot.lost)
    std::printf("lost %s: %lu\n", reason.c_str(), count);
}

// Runs the case the command line names in a scope.
inline int run(int count, char** arguments, const std::map<std::string, void (*)()>& cases) {
  auto found = count == 2 ? cases.find(arguments[1]) : cases.end();
  if (found == cases.end()) return 2;
  start();
  void (*function)() = found->second;
  Scope scope;
  function();
  scope.end();
  print(scope.finish());
  return 0;
}

inline void require(bool condition, const char* what) {
  if (condition) return;
  std::fprintf(stderr, "not as expected: %s\n", what);
  std::_Exit(3);
}

}  // namespace recorded
