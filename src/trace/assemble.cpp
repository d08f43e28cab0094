// SPDX-License-Identifier: MIT
#include "trace/assemble.hpp"

#include <algorithm>
#include <cstddef>
#include <limits>
#include <string>
#include <utility>

#include "trace/order.hpp"

namespace malloc_tracer::trace {
namespace {

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

class Assembly {
 public:
  Assembly(Trace facts, Places places, const std::vector<TreeNode>& tree)
      : trace_(std::move(facts)), places_(std::move(places)), tree_(tree) {}

  Trace assemble() {
    finish_flat(trace_.threads);
    finish_flat(trace_.allocators);
    make_nodes();
    sum_nodes();
    make_lists();
    add_native();
    sum_places();
    sort_lists();
    return std::move(trace_);
  }

 private:
  const Site& site_of(Id node) const { return places_[tree_[node].site]; }

  void make_nodes() {
    std::vector<std::uint32_t> child_count(tree_.size());
    for (Id id = 1; id < tree_.size(); ++id) ++child_count[tree_[id].parent];
    trace_.nodes.resize(tree_.size());
    for (Id id = 0; id < tree_.size(); ++id) {
      Node& node = trace_.nodes[id];
      node.children.reserve(child_count[id]);
      if (id == 0) continue;
      const Site& site = site_of(id);
      const File& file = places_.files[site.file];
      node.frame = {places_.functions[site.function].name, file.name,
                    places_.lines[site.line].number, file.kind};
      node.parent = tree_[id].parent;
      trace_.nodes[node.parent].children.push_back(id);
    }
  }

  void sum_nodes() {
    for (std::size_t i = trace_.nodes.size(); i-- > 0;) {
      Node& node = trace_.nodes[i];
      node.self = tree_[i].self;
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
    std::vector<Nearest> nearest(places_.lines.size());
    std::vector<std::uint32_t> depth(tree_.size());
    for (Id id = 1; id < tree_.size(); ++id) {
      depth[id] = depth[tree_[id].parent] + 1;
      const Site& site = site_of(id);
      if (depth[id] < nearest[site.line].depth) nearest[site.line] = {depth[id], site.function};
    }
    trace_.lines.reserve(places_.lines.size() + 1);
    for (std::size_t i = 0; i < places_.lines.size(); ++i) {
      const auto [file, number] = places_.lines[i];
      trace_.lines.push_back({places_.files[file].name, number,
                              places_.functions[nearest[i].function].name, Counters{}, Counters{}});
    }
  }

  // Blocks of the root have no Python frame at all: the place `<native>`.
  void add_native() {
    const Counters& counters = trace_.nodes[0].self;
    if (counters == Counters{}) return;
    const Site& site =
        places_[places_.site(places_.intern(kNativePlace, kNativePlace, Kind::kNative), 0)];
    if (site.line == trace_.lines.size()) {
      trace_.lines.push_back({std::string(kNativePlace), 0, std::string(kNativePlace), {}, {}});
    }
    add_to(trace_.lines[site.line], counters);
    add_to(places_.functions[site.function], counters);
    add_to(places_.files[site.file], counters);
  }

  template <class Place>
  static void add_to(Place& place, const Counters& counters) {
    place.self += counters;
    place.total += counters;
  }

  // Walks the tree depth first; a loop with a stack of its own, since recursion may be deep.
  void sum_places() {
    Tally lines(trace_.lines);
    Tally functions(places_.functions);
    Tally files(places_.files);
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
    trace_.functions = std::move(places_.functions);
    trace_.files = std::move(places_.files);
    sort_places(trace_.lines);
    sort_places(trace_.functions);
    sort_places(trace_.files);
    for (Node& node : trace_.nodes) {
      std::sort(node.children.begin(), node.children.end(),
                [&](Id a, Id b) { return comes_before(trace_.nodes[a], trace_.nodes[b]); });
    }
  }

  Trace trace_;
  Places places_;
  const std::vector<TreeNode>& tree_;
};

}  // namespace

Trace assemble(Trace facts, Places places, const std::vector<TreeNode>& tree) {
  return Assembly(std::move(facts), std::move(places), tree).assemble();
}

}  // namespace malloc_tracer::trace
