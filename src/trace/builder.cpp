// SPDX-License-Identifier: MIT
#include "trace/builder.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "symbols/python_lines.hpp"
#include "trace/ids.hpp"
#include "trace/order.hpp"

namespace malloc_tracer::trace {
namespace {

using snapshot::Snapshot;
using snapshot::SnapshotCode;
using snapshot::SnapshotNode;
using snapshot::SnapshotRow;

constexpr std::array<const char*, snapshot::kAllocatorCount> kAllocatorNames = {
    "python object", "python mem", "python raw", "malloc", "new", "mmap", "tracked"};

// A frame with its strings replaced by ids; two frames are equal if their sites are.
struct Site {
  Id file = 0, function = 0, line = 0;  // indices in Trace::files, functions, lines
};

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

bool is_below(std::string_view file, std::string_view folder) {
  if (folder.empty() || !file.starts_with(folder)) return false;
  return folder.back() == '/' || file.substr(folder.size()).starts_with('/');
}

Kind kind_of(std::string_view file, const std::vector<std::string>& library_prefixes) {
  if (file == kNativePlace) return Kind::kNative;
  const bool is_library =
      file.starts_with("<frozen ") ||
      std::any_of(library_prefixes.begin(), library_prefixes.end(),
                  [file](const std::string& folder) { return is_below(file, folder); });
  return is_library ? Kind::kLibrary : Kind::kYours;
}

class Builder {
 public:
  Builder(const Snapshot& snapshot, const BuildOptions& options)
      : snapshot_(snapshot), options_(options) {}

  Trace build() {
    copy_facts();
    sum_threads_and_allocators();
    mark_used_nodes();
    resolve_sites();
    merge_nodes();
    make_nodes();
    sum_nodes();
    make_lines();
    add_native();
    sum_places();
    sort_lists();
    return std::move(trace_);
  }

 private:
  struct CodeIds {
    Id file = 0, function = 0;
  };
  struct Instruction {
    std::uint32_t code, offset;
    Id id;
  };
  struct LineKey {
    Id file = 0;
    int number = 0;
  };

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

  // The call tree outlives scopes: it may hold nodes where nothing happened in this one.
  void mark_used_nodes() {
    used_.resize(snapshot_.nodes.size());
    for (const SnapshotRow& row : snapshot_.rows) {
      if (row.counters != Counters{}) used_[row.node] = true;
    }
    for (std::size_t i = snapshot_.nodes.size(); i-- > 1;) {
      if (used_[i]) used_[snapshot_.nodes[i].parent] = true;
    }
  }

  bool has_site(std::size_t node) const {
    return node != 0 && used_[node] && snapshot_.nodes[node].code != SnapshotNode::kNoCode;
  }

  // Every distinct instruction once, ordered by code and offset, so that each code's table is read
  // once from end to end.
  void resolve_sites() {
    PairIds ids;
    std::vector<Instruction> instructions;
    instruction_of_node_.resize(snapshot_.nodes.size());
    for (std::size_t i = 1; i < snapshot_.nodes.size(); ++i) {
      if (!has_site(i)) continue;
      const SnapshotNode& node = snapshot_.nodes[i];
      const auto [id, is_new] = ids.insert(node.code, node.offset);
      instruction_of_node_[i] = id;
      if (is_new) instructions.push_back({node.code, node.offset, id});
    }
    std::sort(instructions.begin(), instructions.end(),
              [](const Instruction& a, const Instruction& b) {
                return std::tie(a.code, a.offset) < std::tie(b.code, b.offset);
              });
    site_of_instruction_.resize(instructions.size());
    for (auto first = instructions.begin(); first != instructions.end();) {
      const auto end = std::find_if(first, instructions.end(), [first](const Instruction& other) {
        return other.code != first->code;
      });
      resolve_code({first, end});
      first = end;
    }
  }

  void resolve_code(std::span<const Instruction> instructions) {
    const SnapshotCode& code = snapshot_.codes[instructions.front().code];
    std::vector<std::uint32_t> offsets;
    for (const Instruction& instruction : instructions) offsets.push_back(instruction.offset);
    std::vector<int> lines(offsets.size());
    symbols::python_lines(code.line_table, code.first_line, offsets, lines);
    const CodeIds ids = intern(code.function, code.file);
    for (std::size_t i = 0; i < lines.size(); ++i) {
      // Instructions that belong to no line (the compiler's own, such as MAKE_CELL for a closure's
      // variables) allocate too: the line of `def` stands for them.
      const int line = lines[i] != 0 ? lines[i] : code.first_line;
      site_of_instruction_[instructions[i].id] = site(ids, line);
    }
  }

  CodeIds intern(std::string_view name, std::string_view file_name) {
    const auto [file, new_file] = file_ids_.insert(file_name);
    if (new_file) {
      const Kind kind = kind_of(file_name, options_.library_prefixes);
      trace_.files.push_back({std::string(file_name), kind, {}, {}});
    }
    const Id name_id = name_ids_.insert(name).first;
    const auto [function, new_function] = function_ids_.insert(name_id, file);
    if (new_function) {
      trace_.functions.push_back({std::string(name), std::string(file_name), {}, {}});
    }
    return {file, function};
  }

  Id site(CodeIds ids, int number) {
    const auto [site, new_site] = site_ids_.insert(ids.function, static_cast<Id>(number));
    if (new_site) {
      const auto [line, new_line] = line_ids_.insert(ids.file, static_cast<Id>(number));
      if (new_line) line_keys_.push_back({ids.file, number});
      sites_.push_back({ids.file, ids.function, line});
    }
    return site;
  }

  // Snapshot nodes become nodes of the trace: equal frames below one parent are one node, and
  // what has no frame of its own belongs to the nearest frame above.
  void merge_nodes() {
    merged_.resize(snapshot_.nodes.size());
    tree_.resize(1);
    PairIds ids(snapshot_.nodes.size());
    for (std::size_t i = 1; i < snapshot_.nodes.size(); ++i) {
      const Id parent = merged_[snapshot_.nodes[i].parent];
      merged_[i] = parent;
      if (!has_site(i)) continue;
      const Id site = site_of_instruction_[instruction_of_node_[i]];
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
      const File& file = trace_.files[site.file];
      node.frame = {trace_.functions[site.function].name, file.name, line_keys_[site.line].number,
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
  void make_lines() {
    struct Nearest {
      std::uint32_t depth = std::numeric_limits<std::uint32_t>::max();
      Id function = 0;
    };
    std::vector<Nearest> nearest(line_keys_.size());
    std::vector<std::uint32_t> depth(tree_.size());
    for (Id id = 1; id < tree_.size(); ++id) {
      depth[id] = depth[tree_[id].parent] + 1;
      const Site& site = site_of(id);
      if (depth[id] < nearest[site.line].depth) nearest[site.line] = {depth[id], site.function};
    }
    trace_.lines.reserve(line_keys_.size() + 1);
    for (std::size_t i = 0; i < line_keys_.size(); ++i) {
      trace_.lines.push_back({trace_.files[line_keys_[i].file].name, line_keys_[i].number,
                              trace_.functions[nearest[i].function].name, Counters{}, Counters{}});
    }
  }

  // Blocks of the root have no Python frame at all: the place `<native>`.
  void add_native() {
    const Counters& counters = trace_.nodes[0].self;
    if (counters == Counters{}) return;
    const CodeIds ids = intern(kNativePlace, kNativePlace);
    const Id line = sites_[site(ids, 0)].line;
    if (line == trace_.lines.size()) {
      trace_.lines.push_back({std::string(kNativePlace), 0, std::string(kNativePlace), {}, {}});
    }
    add_to(trace_.lines[line], counters);
    add_to(trace_.functions[ids.function], counters);
    add_to(trace_.files[ids.file], counters);
  }

  template <class Place>
  static void add_to(Place& place, const Counters& counters) {
    place.self += counters;
    place.total += counters;
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
        const Site& site = site_of(child);
        lines.enter(site.line, trace_.nodes[child]);
        functions.enter(site.function, trace_.nodes[child]);
        files.enter(site.file, trace_.nodes[child]);
        path.push_back({child, 0});
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

  StringIds file_ids_, name_ids_;
  PairIds function_ids_;  // {name, file}
  PairIds line_ids_;      // {file, number}
  PairIds site_ids_;      // {function, number}
  std::vector<LineKey> line_keys_;
  std::vector<Site> sites_;

  std::vector<bool> used_;               // by snapshot node: something happened here or below
  std::vector<Id> instruction_of_node_;  // by snapshot node
  std::vector<Id> site_of_instruction_;
  std::vector<Id> merged_;        // by snapshot node: its node in the trace
  std::vector<MergedNode> tree_;  // by node of the trace
};

}  // namespace

Trace build(const Snapshot& snapshot, const BuildOptions& options) {
  return Builder(snapshot, options).build();
}

}  // namespace malloc_tracer::trace
