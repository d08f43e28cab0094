// SPDX-License-Identifier: MIT
#pragma once

#include <gtest/gtest.h>

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <numeric>
#include <ostream>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "capture/events.hpp"
#include "capture/scopes.hpp"

// How to drive the engine without hooks: addresses are made up, and the test says where the program
// is.
namespace malloc_tracer::snapshot {

inline void PrintTo(const Counters& c, std::ostream* out) {
  *out << "{live " << c.live_bytes << "/" << c.live_count << ", peak " << c.peak_bytes << "/"
       << c.peak_count << ", allocated " << c.allocated_bytes << "/" << c.allocated_count
       << ", freed " << c.freed_bytes << "/" << c.freed_count << ", temporary " << c.temporary_count
       << ", reallocated " << c.reallocated_count << "}";
}

}  // namespace malloc_tracer::snapshot

namespace malloc_tracer::capture::test {

using snapshot::Counters;
using snapshot::Snapshot;

struct ManualFrames {
  inline static thread_local PathId current = 0;  // 0: at the thread's bottom
  inline static thread_local bool locked = true;  // holds the interpreter's lock
  inline static thread_local bool own = false;    // the tracer's own allocation
  inline static bool foreign = false;             // all threads are of an interpreter without a GIL
  inline static thread_local int refreshes = 0;
  inline static thread_local PathId walked = 0;
  inline static thread_local void (*signal)() = nullptr;  // comes in the middle of the next event

  static bool attached(Thread&) noexcept {
    if (signal != nullptr) std::exchange(signal, nullptr)();
    return locked;
  }
  static PathId path(Thread& thread, bool) noexcept {
    meet(thread);
    return walked = current != 0 ? current : thread.root;
  }
  // The path of the previous event, if the program is still there; 0: it must be walked.
  static PathId known_path(Thread& thread, bool) noexcept {
    return walked == (current != 0 ? current : thread.root) ? walked : 0;
  }
  static void refresh(Thread&) noexcept { refreshes++, walked = 0; }
  static bool find_lane(Thread& thread, Lane*& lane) noexcept {
    lane = thread.lane[attached(thread) && !foreign];
    return true;
  }
  static void meet(Thread& thread) noexcept {
    thread.foreign = foreign;
    thread.lane[1] = foreign ? thread.lane[0] : &engine.main;
  }
  static bool ours(Thread&, bool, std::uint64_t, Allocator) noexcept { return own; }
};

// The id of the code object of a function that we make up.
inline std::uint32_t code_of(const std::string& function) {
  static std::mutex mutex;
  static std::set<std::string> functions;
  const std::lock_guard guard(mutex);
  const std::string& name = *functions.insert(function).first;
  return engine.tree.code_id(&name, [&](CodeEntry& entry, memory::BlockPool& texts) {
    void* copy = texts.allocate(name.size());
    name.copy(static_cast<char*>(copy), name.size());
    entry.function = CopiedText{copy, static_cast<std::uint32_t>(name.size()), 1};
  });
}

inline PathId call(PathId from, const std::string& function, std::uint32_t offset = 0) {
  return engine.tree.child(from, PathKey{KeyKind::kFrame, code_of(function), offset});
}
// The scopes' own frame comes next.
inline PathId marker(PathId from, const std::vector<ScopeRef>& scopes) {
  return engine.tree.marked(from, static_cast<std::uint32_t>(scopes.size()), [&](ScopeId* to) {
    for (const ScopeRef& scope : scopes) *to++ = scope.id;
  });
}
inline PathId marker(PathId from, ScopeRef scope) { return marker(from, std::vector{scope}); }

inline void* address(std::uint64_t block) {
  return reinterpret_cast<void*>(0x5000'0000'0000 + block * 64);
}

// One thread of a program that we make up; blocks are numbered.
class Program {
 public:
  explicit Program(Thread& thread = here()) : thread_(thread) {}

  Thread& thread() const { return thread_; }
  PathId bottom() const { return thread_.root; }
  // Where the program is from now on.
  Program& at(PathId path) {
    path_ = path;
    return *this;
  }
  Program& alloc(std::uint64_t block, std::uint64_t bytes,
                 Allocator allocator = Allocator::kMalloc) {
    ManualFrames::current = path_;
    if (is_closed(thread_)) {  // as every hook does
      pass_through(thread_);
      return *this;
    }
    thread_.inside = 1;
    on_alloc<ManualFrames>(thread_, address(block), bytes, allocator);
    return *this;
  }
  Program& free(std::uint64_t block) {
    ManualFrames::current = path_;
    Cell cell;
    if (freed<ManualFrames>(thread_, address(block), cell) == Freed::kNotYet) {
      cell = take(address(block));
      on_free<ManualFrames>(thread_, address(block), cell);
    }
    return *this;
  }
  Program& realloc(std::uint64_t from, std::uint64_t to, std::uint64_t bytes,
                   Allocator allocator = Allocator::kMalloc) {
    ManualFrames::current = path_;
    if (thread_.inside != 0) {
      pass_through(thread_);
      return *this;
    }
    const Cell cell = take(address(from));
    on_realloc<ManualFrames>(thread_, address(from), cell, address(to), bytes, allocator);
    return *this;
  }
  Program& fail_realloc(std::uint64_t block) {
    const Cell cell = take(address(block));
    put_back(address(block), cell);
    return *this;
  }

 private:
  Thread& thread_;
  PathId path_ = 0;
};

// A thread of the operating system that waits for work, so that its block stays registered.
class WaitingThread {
 public:
  WaitingThread() : thread_([this] { loop(); }) {
    run([this] { block_ = &here(); });
  }
  ~WaitingThread() {
    {
      const std::lock_guard guard(mutex_);
      done_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }
  WaitingThread(const WaitingThread&) = delete;
  WaitingThread& operator=(const WaitingThread&) = delete;

  Thread& block() const { return *block_; }
  std::uint64_t id() const { return engine.labels[block_->serial].id; }
  // Returns when the thread has done it.
  void run(std::function<void()> work) {
    std::unique_lock lock(mutex_);
    work_ = std::move(work);
    changed_.notify_all();
    changed_.wait(lock, [this] { return work_ == nullptr; });
  }

 private:
  void loop() {
    std::unique_lock lock(mutex_);
    while (true) {
      changed_.wait(lock, [this] { return done_ || work_ != nullptr; });
      if (done_) return;
      work_();
      work_ = nullptr;
      changed_.notify_all();
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::function<void()> work_;
  bool done_ = false;
  Thread* block_ = nullptr;
  std::thread thread_;
};

// -- what a snapshot says

using Stacks = std::map<std::string, Counters>;

// A node's stack, outermost first: "f/g+4" is the instruction at offset 4 of g, called by f at 0.
inline std::string stack_name(const Snapshot& snapshot, std::uint32_t node) {
  if (node == 0) return "";
  const snapshot::SnapshotNode& n = snapshot.nodes[node];
  std::string name = snapshot.codes[n.code].function;
  if (n.offset != 0) name += "+" + std::to_string(n.offset);
  const std::string before = stack_name(snapshot, n.parent);
  return before.empty() ? name : before + "/" + name;
}

inline Stacks stacks(const Snapshot& snapshot) {
  Stacks sums;
  for (const auto& row : snapshot.rows) sums[stack_name(snapshot, row.node)] += row.counters;
  return sums;
}

inline std::map<Allocator, Counters> allocators(const Snapshot& snapshot) {
  std::map<Allocator, Counters> sums;
  for (const auto& row : snapshot.rows) sums[row.allocator] += row.counters;
  return sums;
}

// By the operating system's id of the thread that allocated.
inline std::map<std::uint64_t, Counters> threads(const Snapshot& snapshot) {
  std::map<std::uint64_t, Counters> sums;
  for (const auto& row : snapshot.rows) {
    sums[snapshot.threads[row.thread].id] += row.counters;
  }
  return sums;
}

inline Counters total(const Snapshot& snapshot) {
  Counters sum;
  for (const auto& row : snapshot.rows) sum += row.counters;
  const auto& sizes = snapshot.block_sizes;
  EXPECT_EQ(std::accumulate(sizes.begin(), sizes.end(), std::uint64_t{0}), sum.allocated_count);
  return sum;
}

inline std::uint64_t lost(const Snapshot& snapshot, Lost reason) {
  for (const auto& [text, count] : snapshot.lost) {
    if (text == lost_text(reason)) return count;
  }
  return 0;
}

}  // namespace malloc_tracer::capture::test
