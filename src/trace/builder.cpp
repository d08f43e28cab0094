// SPDX-License-Identifier: MIT
#include "trace/builder.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "trace/ids.hpp"
#include "trace/order.hpp"
#include "trace/sites.hpp"

namespace malloc_tracer::trace {
namespace {

using snapshot::Snapshot;
using snapshot::SnapshotNode;
using snapshot::SnapshotRow;

constexpr std::array<const char*, snapshot::kAllocatorCount> kAllocatorNames = {
    "python object", "python mem", "python raw", "malloc", "new", "mmap", "tracked"};

// A node of the trace before it gets its strings.
struct MergedNode {
  Id parent = 0, site = 0;
};

// One of the trace's lists while it is summed.
template <class Place>
struct Tally {
  explicit Tally(std::vector<Place>& list) : places(list), open(list.size()) {}

  // `total` takes a block at the outermost occurrence only, so that recursion counts it once.
  void enter(Id place, const Node& node) {
    if (node.self != Counters{}) places[place].self += node.self;
    if (open[place]++ == 0) places[place].total += node.total;
  }
  void leave(Id place) { --open[place]; }

  std::vector<Place>& places;
  std::vector<std::uint32_t> open;  // how often each place stands on the path being walked
};

// A list that is not part of the tree: no callees, so total is self.
template <class Place>
void finish_flat(std::vector<Place>& places) {
  std::erase_if(places, [](const Place& place) { return place.self == Counters{}; });
  for (Place& place : places) place.total = place.self;
  sort_places(places);
}

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
    make_nodes();
    sum_nodes();
    make_lists();
    add_native();
    sum_places();
    sort_lists();
    return std::move(trace_);
  }

 private:
  void copy_facts() {
    trace_.name = snapshot_.name;
    trace_.python_version = options_.python_version;
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
    finish_flat(trace_.threads);
    finish_flat(trace_.allocators);
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
    tree_.resize(1);
    PairIds ids(snapshot_.nodes.size());
    for (std::size_t i = 1; i < snapshot_.nodes.size(); ++i) {
      const Id parent = merged_[snapshot_.nodes[i].parent];
      merged_[i] = parent;
      if (!has_frame_[i]) continue;
      const Id site = sites_.of_node(i);
      const auto [id, is_new] = ids.insert(parent, site);
      merged_[i] = id + 1;  // 0 is the root
      if (is_new) tree_.push_back({parent, site});
    }
  }

  const Site& site_of(Id node) const { return sites_[tree_[node].site]; }

  void make_nodes() {
    std::vector<std::uint32_t> child_count(tree_.size());
    for (Id id = 1; id < tree_.size(); ++id) ++child_count[tree_[id].parent];
    trace_.nodes.resize(tree_.size());
    for (Id id = 0; id < tree_.size(); ++id) {
      Node& node = trace_.nodes[id];
      node.children.reserve(child_count[id]);
      if (id == 0) continue;
      const Site& site = site_of(id);
      const File& file = sites_.files[site.file];
      node.frame = {sites_.functions[site.function].name, file.name, sites_.lines[site.line].number,
                    file.kind};
      node.parent = tree_[id].parent;
      trace_.nodes[node.parent].children.push_back(id);
    }
  }

  void sum_nodes() {
    for (const SnapshotRow& row : snapshot_.rows) {
      trace_.nodes[merged_[row.node]].self += row.counters;
    }
    for (std::size_t i = trace_.nodes.size(); i-- > 0;) {
      Node& node = trace_.nodes[i];
      node.total += node.self;
      if (i != 0) trace_.nodes[node.parent].total += node.total;
    }
    trace_.sum = trace_.nodes[0].total;
  }

  // A line's function is the one nearest to the root: a comprehension that is a function of its own
  // (CPython 3.11) does not take the name from the function around it.
  void make_lists() {
    struct Nearest {
      std::uint32_t depth = std::numeric_limits<std::uint32_t>::max();
      Id function = 0;
    };
    std::vector<Nearest> nearest(sites_.lines.size());
    std::vector<std::uint32_t> depth(tree_.size());
    for (Id id = 1; id < tree_.size(); ++id) {
      depth[id] = depth[tree_[id].parent] + 1;
      const Site& site = site_of(id);
      if (depth[id] < nearest[site.line].depth) nearest[site.line] = {depth[id], site.function};
    }
    trace_.lines.reserve(sites_.lines.size() + 1);
    for (std::size_t i = 0; i < sites_.lines.size(); ++i) {
      const auto [file, number] = sites_.lines[i];
      trace_.lines.push_back({sites_.files[file].name, number,
                              sites_.functions[nearest[i].function].name, Counters{}, Counters{}});
    }
  }

  // Blocks of the root have no Python frame at all: the place `<native>`.
  void add_native() {
    const Counters& counters = trace_.nodes[0].self;
    if (counters == Counters{}) return;
    const Site& site = sites_.add(kNativePlace, kNativePlace, 0);
    if (site.line == trace_.lines.size()) {
      trace_.lines.push_back({std::string(kNativePlace), 0, std::string(kNativePlace), {}, {}});
    }
    add_to(trace_.lines[site.line], counters);
    add_to(sites_.functions[site.function], counters);
    add_to(sites_.files[site.file], counters);
  }

  template <class Place>
  static void add_to(Place& place, const Counters& counters) {
    place.self += counters;
    place.total += counters;
  }

  // Walks the tree depth first; a loop with a stack of its own, since recursion may be deep.
  void sum_places() {
    Tally lines(trace_.lines);
    Tally functions(sites_.functions);
    Tally files(sites_.files);
    std::vector<std::pair<Id, std::size_t>> path = {{0, 0}};  // node, children already walked
    while (!path.empty()) {
      auto& [id, walked] = path.back();
      if (walked < trace_.nodes[id].children.size()) {
        const Id child = trace_.nodes[id].children[walked++];
        const Site& site = site_of(child);
        lines.enter(site.line, trace_.nodes[child]);
        functions.enter(site.function, trace_.nodes[child]);
        files.enter(site.file, trace_.nodes[child]);
        path.emplace_back(child, 0);
        continue;
      }
      if (id != 0) {
        const Site& site = site_of(id);
        lines.leave(site.line);
        functions.leave(site.function);
        files.leave(site.file);
      }
      path.pop_back();
    }
  }

  void sort_lists() {
    trace_.functions = std::move(sites_.functions);
    trace_.files = std::move(sites_.files);
    sort_places(trace_.lines);
    sort_places(trace_.functions);
    sort_places(trace_.files);
    for (Node& node : trace_.nodes) {
      std::sort(node.children.begin(), node.children.end(),
                [&](Id a, Id b) { return comes_before(trace_.nodes[a], trace_.nodes[b]); });
    }
  }

  const Snapshot& snapshot_;
  const BuildOptions& options_;
  Trace trace_;

  SiteTable sites_;
  std::vector<bool> has_frame_;   // by snapshot node
  std::vector<Id> merged_;        // by snapshot node: its node in the trace
  std::vector<MergedNode> tree_;  // by node of the trace
};

}  // namespace

Trace build(const Snapshot& snapshot, const BuildOptions& options) {
  return Builder(snapshot, options).build();
}

}  // namespace malloc_tracer::trace
