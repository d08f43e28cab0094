// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "snapshot/counters.hpp"

// What the numbers mean, slowly and obviously: a scope is the list of its events, and every number
// is computed from that list by the words of the interface. No window, no run, no headroom.
namespace malloc_tracer::capture::test {

using snapshot::Counters;

using PlaceKey = int;                    // whatever the test calls a place
using Places = std::map<int, PlaceKey>;  // scope -> where the program is, seen from it

class ReferenceModel {
 public:
  struct Result {
    std::map<PlaceKey, Counters> rows;
    Counters total;
    std::vector<std::uint64_t> block_sizes = std::vector<std::uint64_t>(64);
  };

  explicit ReferenceModel(int threads)
      : threads_(threads), last_(static_cast<std::size_t>(threads), kNone) {}

  int open(bool all_threads) {
    scopes_[next_scope_] = Scope{all_threads, std::vector<int>(threads_), 0, kNotEnded, {}};
    return next_scope_++;
  }
  void activate(int scope, int thread) {
    Scope& s = scopes_.at(scope);
    s.activations[thread]++;
    s.total++;
    s.ended_at = kNotEnded;
  }
  void suspend(int scope, int thread, bool finished) {
    Scope& s = scopes_.at(scope);
    s.activations[thread]--;
    if (--s.total == 0 && finished) s.ended_at = s.events.size();
  }
  void close(int scope) { scopes_.erase(scope); }
  // The scope that goes on in its place.
  int reset(int scope) {
    const int fresh = open(scopes_.at(scope).all_threads);
    scopes_.at(fresh).activations = scopes_.at(scope).activations;
    scopes_.at(fresh).total = scopes_.at(scope).total;
    close(scope);
    return fresh;
  }

  bool records(int scope, int thread) const {
    const Scope& s = scopes_.at(scope);
    return s.all_threads ? s.total > 0 : s.activations[thread] > 0;
  }
  std::vector<int> open_scopes() const {
    std::vector<int> ids;
    for (const auto& entry : scopes_) ids.push_back(entry.first);
    return ids;
  }
  const std::map<std::uint64_t, int>& blocks() const { return at_; }  // by address

  // `places`: one for each scope that records this thread.
  void alloc(int thread, std::uint64_t address, std::uint64_t bytes, const Places& places) {
    last_[thread] = kNone;
    if (places.empty()) return;
    free_unseen(address);
    const int block = make(thread, address, bytes, places);
    for (const auto& entry : places) {
      scopes_.at(entry.first).events.push_back({kNone, block, false, false});
    }
  }
  void free(int thread, std::uint64_t address) {
    const auto there = at_.find(address);
    const int block = there == at_.end() ? kNone : there->second;
    const bool temporary = block != kNone && last_[thread] == block;
    last_[thread] = kNone;
    if (block == kNone) return;
    at_.erase(there);
    leave(block, temporary);
  }
  void realloc(int thread, std::uint64_t from, std::uint64_t to, std::uint64_t bytes,
               const Places& places) {
    const auto there = at_.find(from);
    if (there == at_.end()) return alloc(thread, to, bytes, places);
    const int old = there->second;
    at_.erase(there);
    last_[thread] = kNone;
    int block = kNone;
    if (!places.empty()) {
      free_unseen(to);
      block = make(thread, to, bytes, places);
    }
    for (auto& [id, scope] : scopes_) {
      const bool had = blocks_[old].places.contains(id), has = places.contains(id);
      if (!had && !has) continue;
      scope.events.push_back({had ? old : kNone, has ? block : kNone, false, had && has});
    }
  }

  Result result(int id) const {
    const Scope& scope = scopes_.at(id);
    // After its last return a scope sees only frees; they are undone.
    const std::size_t end =
        scope.ended_at < scope.events.size() ? scope.ended_at : scope.events.size();
    Result result;
    std::int64_t now = 0, most = 0;
    std::size_t peak_at = 0;  // the first of equal peaks; nothing at all is the first peak
    for (std::size_t i = 0; i < end; i++) {
      const Event& event = scope.events[i];
      if (event.out != kNone) {
        Counters& c = result.rows[place(event.out, id)];
        c.freed_bytes += blocks_[event.out].bytes;
        c.freed_count++;
        c.temporary_count += event.temporary;
        now -= static_cast<std::int64_t>(blocks_[event.out].bytes);
      }
      if (event.in != kNone) {
        Counters& c = result.rows[place(event.in, id)];
        c.allocated_bytes += blocks_[event.in].bytes;
        c.allocated_count++;
        c.reallocated_count += event.reallocated;
        result.block_sizes[bit_width(blocks_[event.in].bytes)]++;
        now += static_cast<std::int64_t>(blocks_[event.in].bytes);
      }
      if (now <= most) continue;
      most = now;
      peak_at = i + 1;
    }
    for (std::size_t i = 0; i < peak_at; i++) {
      const Event& event = scope.events[i];
      if (event.in != kNone) {
        result.rows[place(event.in, id)].peak_bytes += blocks_[event.in].bytes;
        result.rows[place(event.in, id)].peak_count++;
      }
      if (event.out != kNone) {
        result.rows[place(event.out, id)].peak_bytes -= blocks_[event.out].bytes;
        result.rows[place(event.out, id)].peak_count--;
      }
    }
    for (auto& [key, c] : result.rows) {
      c.live_bytes = c.allocated_bytes - c.freed_bytes;
      c.live_count = c.allocated_count - c.freed_count;
      result.total += c;
    }
    return result;
  }

 private:
  static constexpr int kNone = -1;
  static constexpr std::size_t kNotEnded = ~std::size_t{0};

  struct Event {
    int out, in;  // blocks that leave and enter the scope in one step
    bool temporary, reallocated;
  };
  struct Block {
    std::uint64_t bytes;
    Places places;  // of the scopes that recorded it
  };
  struct Scope {
    bool all_threads;
    std::vector<int> activations;  // by thread
    int total;
    std::size_t ended_at;
    std::vector<Event> events;
  };

  static std::size_t bit_width(std::uint64_t bytes) {
    std::size_t width = 0;
    for (; bytes != 0; bytes /= 2) width++;
    return width;
  }
  PlaceKey place(int block, int scope) const { return blocks_[block].places.at(scope); }
  int make(int thread, std::uint64_t address, std::uint64_t bytes, const Places& places) {
    blocks_.push_back({bytes, places});
    const int block = static_cast<int>(blocks_.size()) - 1;
    at_[address] = block;
    last_[thread] = block;
    return block;
  }
  void leave(int block, bool temporary) {
    for (const auto& entry : blocks_[block].places) {
      const auto scope = scopes_.find(entry.first);
      if (scope != scopes_.end()) scope->second.events.push_back({block, kNone, temporary, false});
    }
  }
  // A record is about to be written where another stands: the free of that one was not seen.
  void free_unseen(std::uint64_t address) {
    const auto there = at_.find(address);
    if (there == at_.end()) return;
    const int block = there->second;
    at_.erase(there);
    leave(block, false);
  }

  int threads_;
  int next_scope_ = 0;
  std::vector<Block> blocks_;
  std::map<std::uint64_t, int> at_;
  std::map<int, Scope> scopes_;
  std::vector<int> last_;  // the block that a thread's latest event made
};

}  // namespace malloc_tracer::capture::test
