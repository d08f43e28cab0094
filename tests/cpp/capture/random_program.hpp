// SPDX-License-Identifier: MIT
#pragma once

#include <gtest/gtest-printers.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "capture/choices.hpp"
#include "capture/manual_frames.hpp"
#include "capture/reference_model.hpp"

// A program that does anything that a program can do to the engine, in any order, as `Choices` say.
namespace malloc_tracer::capture::test {

// This thread and others, whose events it makes for them.
class SeveralThreads {
 public:
  explicit SeveralThreads(int others) {
    programs_.push_back(&own_);
    for (int i = 0; i < others; i++) {
      others_.push_back(std::make_unique<WaitingThread>());
      their_.push_back(std::make_unique<Program>(others_.back()->block()));
      programs_.push_back(their_.back().get());
    }
  }
  const std::vector<Program*>& programs() const { return programs_; }

 private:
  Program own_;
  std::vector<std::unique_ptr<WaitingThread>> others_;
  std::vector<std::unique_ptr<Program>> their_;
  std::vector<Program*> programs_;
};

struct Tally {
  std::uint64_t steps = 0, checks = 0, rows = 0, reallocs = 0, temporaries = 0;
  std::uint64_t most_scopes = 0, most_windows = 0;
};

// One random program on a few threads, played to the engine and to the model. Compared now and
// then, as building results takes longer than all else, or after every step.
class RandomProgram {
 public:
  RandomProgram(Choices choices, const std::vector<Program*>& threads, Tally& tally,
                bool every_step = false)
      : choices_(std::move(choices)),
        every_step_(every_step),
        tally_(tally),
        thread_count_(1 + static_cast<int>(pick(threads.size()))),
        model_(thread_count_) {
    for (int t = 0; t < thread_count_; t++) {
      threads_.emplace_back();
      threads_.back().program = threads[static_cast<std::size_t>(t)];
    }
    address_count_ = std::uint64_t{1} << (3 + pick(8));
    giants_ = pick(4) == 0;
    most_scopes_ = pick(3) == 0 ? 64 + pick(40) : 1 + pick(pick(2) != 0 ? 4 : 16);
    scope_rate_ = 1 + pick(pick(2) != 0 ? 10 : 60);
    all_rate_ = pick(5);
    growth_ = pick(3);
    nested_ = pick(3) == 0;  // strictly, on thread 0
    check_every_ = 1;
    if (most_scopes_ > 16) {
      check_every_ = 150 + pick(400);
    } else if (pick(8) != 0) {
      check_every_ = 5 + pick(60);
    }
  }

  // False at the first difference; `why` then says what.
  bool play(std::uint64_t steps) {
    if (most_scopes_ >= 64 && pick(2) != 0) {
      for (int i = 0; i < 90; i++) open(any_thread());
    }
    for (std::uint64_t step = 0; step < steps && why_.empty() && !choices_.at_end(); step++) {
      const int thread = static_cast<int>(pick(threads_.size()));
      if (pick(100) < scope_rate_) {
        change_scopes(thread);
      } else if (pick(5) == 0) {
        move(thread);
      } else {
        change_blocks(thread);
      }
      tally_.most_windows = std::max<std::uint64_t>(
          tally_.most_windows, engine.window_top - kFirstWindow - engine.free_window_count);
      if (every_step_) {
        check_all();
      } else if (step % check_every_ == 0 && !open_.empty()) {
        pick(8) == 0 ? check_all() : check(some_scope());
      }
      tally_.steps++;
    }
    check_all();
    while (!open_.empty()) close(some_scope());
    return why_.empty();
  }
  const std::string& why() const { return why_; }

 private:
  struct Active {
    int scope;
    int depth;  // of the scope's own frame; kReturned: that frame has returned, the scope goes on
  };
  struct SimulatedThread {
    Program* program = nullptr;
    std::vector<int> frames{0};
    std::vector<Active> active;
  };
  static constexpr int kReturned = -1;

  std::uint64_t pick(std::uint64_t below) { return choices_.below(below); }
  int any_thread() { return nested_ ? 0 : static_cast<int>(pick(threads_.size())); }
  int some_scope() {
    auto i = open_.begin();
    std::advance(i, pick(open_.size()));
    return i->first;
  }
  SimulatedThread& thread(int t) { return threads_[static_cast<std::size_t>(t)]; }

  // -- where the program is

  // The depth where each scope begins on this thread: the oldest activation counts.
  static std::map<int, int> beginnings(const SimulatedThread& t) {
    std::map<int, int> depths;
    for (const Active& a : t.active) depths.try_emplace(a.scope, a.depth);
    return depths;
  }
  static std::string function(int frame) { return "f" + std::to_string(frame / 2); }
  static std::uint32_t offset(int frame) { return static_cast<std::uint32_t>(frame % 2) * 2; }

  void set_path(SimulatedThread& t) {
    const std::map<int, int> depths = beginnings(t);
    PathId path = t.program->bottom();
    for (int d = 0; d < static_cast<int>(t.frames.size()); d++) {
      std::vector<ScopeRef> here;
      for (const auto& [scope, depth] : depths) {
        if (depth == d) here.push_back(open_.at(scope));
      }
      if (!here.empty()) path = marker(path, here);
      const int frame = t.frames[static_cast<std::size_t>(d)];
      path = call(path, function(frame), offset(frame));
    }
    t.program->at(path);
  }
  Places places(int t, Allocator allocator) {
    Places result;
    const std::map<int, int> depths = beginnings(thread(t));
    const std::vector<int>& frames = thread(t).frames;
    for (const auto& entry : open_) {
      if (!model_.records(entry.first, t)) continue;
      const auto i = depths.find(entry.first);
      const int depth = i == depths.end() || i->second == kReturned ? 0 : i->second;
      std::vector<int> key{t, static_cast<int>(allocator)};
      key.insert(key.end(), frames.begin() + depth, frames.end());
      result[entry.first] = intern(key);
    }
    return result;
  }
  PlaceKey intern(const std::vector<int>& key) {
    return keys_.try_emplace(key, static_cast<PlaceKey>(keys_.size())).first->second;
  }

  // -- what the program does

  void open(int t) {
    const bool all_threads = pick(4) < all_rate_;
    const ScopeRef ref = open_scope(all_threads);
    const int scope = model_.open(all_threads);
    open_[scope] = ref;
    tally_.most_scopes = std::max<std::uint64_t>(tally_.most_scopes, open_.size());
    if (pick(8) != 0) activate(scope, t);
  }
  void activate(int scope, int t) {
    capture::activate(open_.at(scope), thread(t).program->thread(), {});
    model_.activate(scope, t);
    const std::size_t frames = thread(t).frames.size();
    const std::size_t depth = pick(3) != 0 ? frames - 1 : pick(frames);
    thread(t).active.push_back({scope, static_cast<int>(depth)});
  }
  void suspend(int t, std::size_t i) {
    const int scope = thread(t).active[i].scope;
    const bool finished = pick(2) != 0;
    capture::suspend(open_.at(scope), thread(t).program->thread(), finished);
    model_.suspend(scope, t, finished);
    thread(t).active.erase(thread(t).active.begin() + static_cast<std::ptrdiff_t>(i));
  }
  void close(int scope) {
    check(scope);
    close_scope(open_.at(scope));
    model_.close(scope);
    open_.erase(scope);
    for (SimulatedThread& t : threads_) {
      std::erase_if(t.active, [&](const Active& a) { return a.scope == scope; });
    }
  }
  void reset(int scope) {
    check(scope);
    const ScopeRef ref = reset_scope(open_.at(scope));
    const int fresh = model_.reset(scope);
    open_.erase(scope);
    open_[fresh] = ref;
    for (SimulatedThread& t : threads_) {
      for (Active& a : t.active) a.scope = a.scope == scope ? fresh : a.scope;
    }
  }
  void change_scopes(int t) {
    const std::size_t active = thread(t).active.size();
    const std::uint64_t what = pick(16);
    if (what < 4) {
      if (open_.size() < most_scopes_) open(nested_ ? 0 : t);
    } else if (what < 6) {
      if (open_.empty() || (open_.size() < most_scopes_ && pick(3) != 0)) return;
      close(nested_ ? open_.rbegin()->first : some_scope());
    } else if (what < 10) {
      if (!open_.empty() && active < 100) activate(some_scope(), t);
    } else if (what < 11) {
      if (!open_.empty() && pick(3) == 0) reset(some_scope());
    } else if (active != 0) {
      suspend(t, nested_ ? active - 1 : pick(active));
    }
  }
  void move(int t) {
    std::vector<int>& frames = thread(t).frames;
    const auto frame = static_cast<int>(pick(3));
    if (pick(2) != 0 && frames.size() < 6) {
      frames.push_back(frame);
    } else if (frames.size() > 1) {
      frames.pop_back();
      for (Active& a : thread(t).active) {
        if (a.depth >= static_cast<int>(frames.size())) a.depth = kReturned;
      }
    } else {
      frames[0] = frame;
    }
  }

  std::uint64_t some_size() {
    switch (pick(12)) {
      case 0:
        return 0;
      case 1:
        return giants_ ? (std::uint64_t{1} << (31 + pick(2))) - 2 + pick(4) : 1;
      case 2:
        return pick(100'000);
      case 3:
        return 64;
      default:
        return pick(8) * 16;
    }
  }
  std::uint64_t some_address() { return pick(address_count_); }
  std::uint64_t some_block() {
    if (model_.blocks().empty()) return some_address();
    auto i = model_.blocks().lower_bound(some_address());
    return i == model_.blocks().end() ? model_.blocks().begin()->first : i->first;
  }
  void alloc(int t, std::uint64_t address, std::uint64_t bytes) {
    const auto allocator = static_cast<Allocator>(pick(snapshot::kAllocatorCount));
    set_path(thread(t));
    thread(t).program->alloc(address, bytes, allocator);
    model_.alloc(t, address, bytes, places(t, allocator));
  }
  void free(int t, std::uint64_t address) {
    thread(t).program->free(address);
    model_.free(t, address);
  }
  void realloc(int t, std::uint64_t from, std::uint64_t to, std::uint64_t bytes) {
    const auto allocator = static_cast<Allocator>(pick(snapshot::kAllocatorCount));
    set_path(thread(t));
    thread(t).program->realloc(from, to, bytes, allocator);
    model_.realloc(t, from, to, bytes, places(t, allocator));
    tally_.reallocs++;
  }
  // Freed at once, or almost.
  void temporary(int t) {
    const std::uint64_t address = some_address(), bytes = some_size();
    const int other = pick(4) != 0 ? t : static_cast<int>(pick(threads_.size()));
    alloc(t, address, bytes);
    if (pick(5) == 0) free(other, some_address());
    if (pick(5) == 0) thread(t).program->fail_realloc(address);
    if (pick(5) == 0 && !open_.empty()) close(some_scope());
    free(other, address);
    if (pick(3) != 0) return;
    alloc(other, address, bytes);
    free(t, address);
  }
  void change_blocks(int t) {
    const std::uint64_t what = pick(20);
    if (what < 8 + growth_ * 2) {
      std::uint64_t address = some_address();
      // Mostly where nothing is: an address handed out again is an unseen free.
      const auto& blocks = model_.blocks();
      while (pick(8) != 0 && blocks.contains(address) && blocks.size() < address_count_) {
        address = some_address();
      }
      alloc(t, address, some_size());
    } else if (what < 10 + growth_ * 2) {
      temporary(t);
    } else if (what < 15) {
      free(t, pick(8) != 0 ? some_block() : some_address());
    } else if (what < 19) {
      const std::uint64_t from = pick(5) != 0 ? some_block() : some_address();
      realloc(t, from, pick(3) != 0 ? from : some_address(), some_size());
    } else if (pick(2) == 0) {
      thread(t).program->fail_realloc(some_block());
    } else {
      free(t, 1'000'000 + pick(64));
    }
  }

  // -- the comparison

  std::map<PlaceKey, Counters> engine_rows(const Snapshot& snapshot) {
    std::vector<std::vector<int>> stack_of(snapshot.nodes.size());
    for (std::size_t i = 1; i < snapshot.nodes.size(); i++) {
      const snapshot::SnapshotNode& node = snapshot.nodes[i];
      stack_of[i] = stack_of[node.parent];
      const int code = std::stoi(snapshot.codes[node.code].function.substr(1));
      stack_of[i].push_back(code * 2 + static_cast<int>(node.offset) / 2);
    }
    std::map<PlaceKey, Counters> rows;
    for (const snapshot::SnapshotRow& row : snapshot.rows) {
      std::vector<int> key{thread_of(snapshot.threads[row.thread].id),
                           static_cast<int>(row.allocator)};
      key.insert(key.end(), stack_of[row.node].begin(), stack_of[row.node].end());
      rows[intern(key)] += row.counters;
    }
    std::erase_if(rows, [](const auto& entry) { return entry.second == Counters{}; });
    return rows;
  }
  int thread_of(std::uint64_t id) {
    for (int t = 0; t < thread_count_; t++) {
      if (engine.labels[thread(t).program->thread().serial].id == id) return t;
    }
    return -1;
  }
  void check_all() {
    for (const auto& entry : open_) check(entry.first);
  }
  void check(int scope) {
    if (!why_.empty()) return;
    ReferenceModel::Result expected = model_.result(scope);
    std::erase_if(expected.rows, [](const auto& entry) { return entry.second == Counters{}; });
    const Snapshot snapshot = snapshot_of(open_.at(scope));
    const std::map<PlaceKey, Counters> rows = engine_rows(snapshot);
    Counters sum;
    for (const auto& entry : rows) sum += entry.second;
    tally_.checks++;
    tally_.rows += rows.size();
    tally_.temporaries += sum.temporary_count;
    if (rows != expected.rows) {
      why_ = "scope " + std::to_string(scope) + ": engine " + testing::PrintToString(sum) +
             ", model " + testing::PrintToString(expected.total) + "\nengine rows " +
             testing::PrintToString(rows) + "\nmodel rows " + testing::PrintToString(expected.rows);
    } else if (snapshot.block_sizes != expected.block_sizes) {
      why_ = "scope " + std::to_string(scope) + ": block sizes: engine " +
             testing::PrintToString(snapshot.block_sizes) + ", model " +
             testing::PrintToString(expected.block_sizes);
    } else if (!snapshot.lost.empty()) {
      why_ = "something was lost: " + snapshot.lost[0].first;
    } else if (snapshot.timeline.back().live_bytes != sum.live_bytes ||
               std::none_of(snapshot.timeline.begin(), snapshot.timeline.end(),
                            [&](const auto& p) { return p.live_bytes == sum.peak_bytes; })) {
      why_ = "the timeline lacks the peak or the end";
    }
  }

  Choices choices_;
  bool every_step_;
  Tally& tally_;
  int thread_count_;
  ReferenceModel model_;
  std::vector<SimulatedThread> threads_;
  std::map<int, ScopeRef> open_;  // the model's scope -> the engine's
  std::map<std::vector<int>, PlaceKey> keys_;
  std::string why_;
  std::uint64_t address_count_, most_scopes_, scope_rate_, all_rate_, growth_, check_every_;
  bool giants_, nested_;
};

}  // namespace malloc_tracer::capture::test
