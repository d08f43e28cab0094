// SPDX-License-Identifier: MIT
#include "trace/builder.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "trace/block_sizes.hpp"
#include "trace/sites.hpp"
#include "trace/tables.hpp"

namespace malloc_tracer::trace {
namespace {

using snapshot::Snapshot;
using snapshot::SnapshotNode;
using snapshot::SnapshotRow;

constexpr std::array<const char*, snapshot::kAllocatorCount> kAllocatorNames = {
    "python object", "python mem", "python raw", "malloc", "new", "mmap", "tracked"};

class Builder {
 public:
  Builder(const Snapshot& snapshot, const BuildOptions& options)
      : snapshot_(snapshot),
        options_(options),
        maker_(snapshot.nodes.size()),
        sites_(options.library_prefixes, maker_) {}

  Trace build() {
    find_frames();
    sites_.resolve(snapshot_, has_frame_);
    merge_nodes();
    add_rows();
    return sum_up(facts(), maker_.take());
  }

 private:
  Trace facts() const {
    Trace trace;
    trace.name = snapshot_.name;
    trace.python_version = options_.python_version;
    trace.command = options_.command;
    trace.time_ms = options_.time_ms;
    trace.duration_ns = snapshot_.duration_ns;
    trace.timeline = snapshot_.timeline;
    const std::vector<std::int64_t> counts(snapshot_.block_sizes.begin(),
                                           snapshot_.block_sizes.end());
    trace.block_sizes = add_block_sizes({}, counts);
    trace.lost = snapshot_.lost;
    return trace;
  }

  // Which nodes become frames. The call tree outlives scopes: it may hold nodes where nothing
  // happened in this one.
  void find_frames() {
    has_frame_.resize(snapshot_.nodes.size());
    for (const SnapshotRow& row : snapshot_.rows) {
      if (row.counters != snapshot::Counters{}) has_frame_[row.node] = true;
    }
    for (std::size_t i = snapshot_.nodes.size(); i-- > 0;) {
      const SnapshotNode& node = snapshot_.nodes[i];
      if (has_frame_[i]) has_frame_[node.parent] = true;
      if (node.code == SnapshotNode::kNoCode) has_frame_[i] = false;
    }
  }

  // Snapshot nodes become nodes of the trace: equal frames below one parent are one node, and what
  // has no frame of its own belongs to the nearest frame above.
  void merge_nodes() {
    merged_.resize(snapshot_.nodes.size());
    for (std::size_t i = 1; i < snapshot_.nodes.size(); ++i) {
      const Id parent = merged_[snapshot_.nodes[i].parent];
      merged_[i] = has_frame_[i] ? maker_.node(parent, sites_.of_node(i)) : parent;
    }
  }

  // Threads of the same id and name are one; an id alone may have been used again.
  void add_rows() {
    std::vector<Id> threads, allocators;
    for (const snapshot::SnapshotThread& thread : snapshot_.threads) {
      const auto named = options_.thread_names.find(thread.id);
      const std::string& name = named != options_.thread_names.end() ? named->second : thread.name;
      threads.push_back(maker_.thread(name, thread.id));
    }
    for (const char* name : kAllocatorNames) allocators.push_back(maker_.allocator(name));
    for (const SnapshotRow& row : snapshot_.rows) {
      maker_.add({merged_[row.node], threads[row.thread],
                  allocators[static_cast<std::size_t>(row.allocator)], false, row.counters});
    }
  }

  const Snapshot& snapshot_;
  const BuildOptions& options_;
  TableMaker maker_;
  SiteTable sites_;
  std::vector<bool> has_frame_;  // by snapshot node
  std::vector<Id> merged_;       // by snapshot node: its node in the trace
};

}  // namespace

Trace build(const Snapshot& snapshot, const BuildOptions& options) {
  return Builder(snapshot, options).build();
}

}  // namespace malloc_tracer::trace
