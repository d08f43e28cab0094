// SPDX-License-Identifier: MIT
#include <algorithm>
#include <cstddef>
#include <limits>
#include <tuple>
#include <utility>
#include <vector>

#include "trace/order.hpp"
#include "trace/tables.hpp"

namespace malloc_tracer::trace {
namespace {

constexpr Id kNone = std::numeric_limits<Id>::max();

// One of the trace's lists while the tree is walked.
template <class Place>
class Tally {
 public:
  explicit Tally(std::vector<Place>& list)
      : places_(list), open_(list.size()), is_used_(list.size()) {}

  // `total` takes a block at the outermost occurrence only, so that recursion counts it once.
  void enter(Id place, const Node& node) {
    if (node.self != Counters{}) places_[place].self += node.self;
    if (open_[place]++ == 0) places_[place].total += node.total;
    is_used_[place] = true;
  }
  void leave(Id place) { --open_[place]; }

  void drop_unused() {
    std::size_t next = 0;
    for (std::size_t i = 0; i < places_.size(); ++i) {
      if (is_used_[i] && next++ != i) places_[next - 1] = std::move(places_[i]);
    }
    places_.resize(next);
  }

 private:
  std::vector<Place>& places_;
  std::vector<std::uint32_t> open_;  // how often each place stands on the path being walked
  std::vector<bool> is_used_;
};

class Sums {
 public:
  Sums(Trace facts, Tables tables) : trace_(std::move(facts)), tables_(std::move(tables)) {}

  Trace sum_up() {
    make_nodes();
    take_rows();
    sum_nodes();
    make_lists();
    sum_places();
    add_native();
    sort_lists();
    return std::move(trace_);
  }

 private:
  const Tables::FrameRow& frame_of(Id node) const {
    return tables_.frames[tables_.nodes[node].frame];
  }

  void make_nodes() {
    std::vector<std::uint32_t> child_count(tables_.nodes.size());
    for (Id id = 1; id < tables_.nodes.size(); ++id) ++child_count[tables_.nodes[id].parent];
    trace_.nodes.resize(tables_.nodes.size());
    for (Id id = 0; id < tables_.nodes.size(); ++id) {
      Node& node = trace_.nodes[id];
      node.children.reserve(child_count[id]);
      if (id == 0) continue;
      const Tables::FunctionRow& function = tables_.functions[frame_of(id).function];
      const Tables::FileRow& file = tables_.files[function.file];
      node.frame = {function.name, file.name, frame_of(id).line, file.kind};
      node.parent = tables_.nodes[id].parent;
      trace_.nodes[node.parent].children.push_back(id);
    }
  }

  void take_rows() {
    trace_.rows = std::move(tables_.rows);
    std::erase_if(trace_.rows, [](const Row& row) { return row.self == Counters{}; });
    trace_.threads.clear();
    for (const auto& [name, id] : tables_.threads) trace_.threads.push_back({name, id, {}, {}});
    trace_.allocators.clear();
    for (const Text& name : tables_.allocators) trace_.allocators.push_back({name, {}, {}});
    sum_flat(trace_.threads, &Row::thread);
    sum_flat(trace_.allocators, &Row::allocator);
    std::sort(trace_.rows.begin(), trace_.rows.end(), [](const Row& a, const Row& b) {
      return std::tie(a.node, a.thread, a.allocator, a.is_earlier) <
             std::tie(b.node, b.thread, b.allocator, b.is_earlier);
    });
  }

  // A list that is not part of the tree: no callees, so total is self. Renumbers the rows' indices
  // in it.
  template <class Place>
  void sum_flat(std::vector<Place>& places, Id Row::*index) {
    std::vector<bool> is_used(places.size());
    for (const Row& row : trace_.rows) {
      places[row.*index].self += row.self;
      is_used[row.*index] = true;
    }
    std::vector<Id> order;
    for (Id i = 0; i < places.size(); ++i) {
      places[i].total = places[i].self;
      if (is_used[i]) order.push_back(i);
    }
    std::sort(order.begin(), order.end(),
              [&](Id a, Id b) { return comes_before(places[a], places[b]); });
    std::vector<Place> sorted;
    std::vector<Id> new_index(places.size());
    for (const Id i : order) {
      new_index[i] = static_cast<Id>(sorted.size());
      sorted.push_back(std::move(places[i]));
    }
    places = std::move(sorted);
    for (Row& row : trace_.rows) row.*index = new_index[row.*index];
  }

  void sum_nodes() {
    for (const Row& row : trace_.rows) trace_.nodes[row.node].self += row.self;
    for (std::size_t i = trace_.nodes.size(); i-- > 0;) {
      Node& node = trace_.nodes[i];
      node.total += node.self;
      if (i != 0) trace_.nodes[node.parent].total += node.total;
    }
    trace_.sum = trace_.nodes[0].total;
  }

  void make_lists() {
    for (const auto& [name, kind] : tables_.files) trace_.files.push_back({name, kind, {}, {}});
    for (const auto& [name, file] : tables_.functions) {
      trace_.functions.push_back({name, tables_.files[file].name, {}, {}});
    }
    PairIds ids;
    for (const auto& [function, number] : tables_.frames) {
      const Id file = tables_.functions[function].file;
      const auto [line, is_new] = ids.insert(file, static_cast<Id>(number));
      line_of_frame_.push_back(line);
      if (is_new) trace_.lines.push_back({tables_.files[file].name, number, {}, {}, {}});
    }
    name_lines();
  }

  // A line's function is the one nearest to the root: a comprehension that is a function of its own
  // (CPython 3.11) does not take the name from the function around it.
  void name_lines() {
    std::vector<Id> nearest(trace_.lines.size(), kNone), depth(tables_.nodes.size());
    for (Id id = 1; id < tables_.nodes.size(); ++id) {
      depth[id] = depth[tables_.nodes[id].parent] + 1;
      const Id line = line_of_frame_[tables_.nodes[id].frame];
      if (depth[id] >= nearest[line]) continue;
      nearest[line] = depth[id];
      trace_.lines[line].function = trace_.nodes[id].frame.function;
    }
  }

  // Walks the tree depth first; a loop with a stack of its own, since recursion may be deep.
  void sum_places() {
    Tally lines(trace_.lines);
    Tally functions(trace_.functions);
    Tally files(trace_.files);
    std::vector<std::pair<Id, std::size_t>> path = {{0, 0}};  // node, children already walked
    while (!path.empty()) {
      auto& [id, walked] = path.back();
      if (walked < trace_.nodes[id].children.size()) {
        const Id child = trace_.nodes[id].children[walked++];
        const Node& node = trace_.nodes[child];
        const Id function = frame_of(child).function;
        lines.enter(line_of_frame_[tables_.nodes[child].frame], node);
        functions.enter(function, node);
        files.enter(tables_.functions[function].file, node);
        path.emplace_back(child, 0);
        continue;
      }
      if (id != 0) {
        const Id function = frame_of(id).function;
        lines.leave(line_of_frame_[tables_.nodes[id].frame]);
        functions.leave(function);
        files.leave(tables_.functions[function].file);
      }
      path.pop_back();
    }
    lines.drop_unused();
    functions.drop_unused();
    files.drop_unused();
  }

  // Blocks of the root have no Python frame at all: the place `<native>`.
  void add_native() {
    if (trace_.rows.empty() || trace_.rows.front().node != 0) return;
    const Text native(kNativePlace);
    place(trace_.lines, Line{native, 0, native, {}, {}});
    place(trace_.functions, Function{native, native, {}, {}});
    place(trace_.files, File{native, Kind::kNative, {}, {}});
  }

  template <class Place>
  void place(std::vector<Place>& places, Place native) {
    auto found = std::find_if(places.begin(), places.end(), [&](const Place& other) {
      return place_key(other) == place_key(native);
    });
    if (found == places.end()) found = places.insert(found, std::move(native));
    found->self += trace_.nodes[0].self;
    found->total += trace_.nodes[0].self;
  }

  void sort_lists() {
    sort_places(trace_.lines);
    sort_places(trace_.functions);
    sort_places(trace_.files);
    for (Node& node : trace_.nodes) {
      std::sort(node.children.begin(), node.children.end(),
                [&](Id a, Id b) { return comes_before(trace_.nodes[a], trace_.nodes[b]); });
    }
  }

  Trace trace_;
  Tables tables_;
  std::vector<Id> line_of_frame_;
};

}  // namespace

Trace sum_up(Trace facts, Tables tables) {
  return Sums(std::move(facts), std::move(tables)).sum_up();
}

}  // namespace malloc_tracer::trace
