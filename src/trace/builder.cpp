// SPDX-License-Identifier: MIT
#include "trace/builder.hpp"

#include <array>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "trace/assemble.hpp"
#include "trace/sites.hpp"

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
      : snapshot_(snapshot), options_(options), sites_(options.library_prefixes) {}

  Trace build() {
    copy_facts();
    sum_threads_and_allocators();
    find_frames();
    sites_.resolve(snapshot_, has_frame_);
    merge_nodes();
    return assemble(std::move(trace_), std::move(sites_.places), tree_.nodes);
  }

 private:
  void copy_facts() {
    trace_.name = snapshot_.name;
    trace_.python_version = options_.python_version;
    trace_.command = options_.command;
    trace_.time_s = options_.time_s;
    trace_.duration_ns = snapshot_.duration_ns;
    trace_.timeline = snapshot_.timeline;
    trace_.lost = snapshot_.lost;
  }

  // Entries of the same id and name are one thread; an id alone may have been used again.
  void sum_threads_and_allocators() {
    std::vector<Id> id_of_thread;
    std::map<std::pair<std::uint64_t, std::string>, Id> ids;
    for (const snapshot::SnapshotThread& thread : snapshot_.threads) {
      const auto named = options_.thread_names.find(thread.id);
      const std::string& name = named != options_.thread_names.end() ? named->second : thread.name;
      const auto next = static_cast<Id>(ids.size());
      const auto [at, is_new] = ids.try_emplace({thread.id, name}, next);
      if (is_new) trace_.threads.push_back({name, thread.id, {}, {}});
      id_of_thread.push_back(at->second);
    }
    for (const char* name : kAllocatorNames) trace_.allocators.push_back({name, {}, {}});
    for (const SnapshotRow& row : snapshot_.rows) {
      trace_.threads[id_of_thread[row.thread]].self += row.counters;
      trace_.allocators[static_cast<std::size_t>(row.allocator)].self += row.counters;
    }
  }

  // Which nodes become frames. The call tree outlives scopes: it may hold nodes where nothing
  // happened in this one.
  void find_frames() {
    has_frame_.resize(snapshot_.nodes.size());
    for (const SnapshotRow& row : snapshot_.rows) {
      if (row.counters != Counters{}) has_frame_[row.node] = true;
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
      merged_[i] = parent;
      if (has_frame_[i]) merged_[i] = tree_.child(parent, sites_.of_node(i));
    }
    for (const SnapshotRow& row : snapshot_.rows) {
      tree_.nodes[merged_[row.node]].self += row.counters;
    }
  }

  const Snapshot& snapshot_;
  const BuildOptions& options_;
  Trace trace_;

  SiteTable sites_;
  std::vector<bool> has_frame_;  // by snapshot node
  std::vector<Id> merged_;       // by snapshot node: its node in the trace
  TreeMaker tree_;
};

}  // namespace

Trace build(const Snapshot& snapshot, const BuildOptions& options) {
  return Builder(snapshot, options).build();
}

}  // namespace malloc_tracer::trace
