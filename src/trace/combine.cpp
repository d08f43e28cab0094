// SPDX-License-Identifier: MIT
#include "trace/combine.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <utility>

#include "trace/assemble.hpp"

namespace malloc_tracer::trace {
namespace {

Counters negative(const Counters& counters) {
  Counters zero;
  zero -= counters;
  return zero;
}

std::string_view without_blanks(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t\r\n\f\v");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r\n\f\v") + 1 - first);
}

// Where the lines of one file have moved to.
class MovedFile {
 public:
  MovedFile(std::vector<std::string> before, std::vector<std::string> now)
      : before_(std::move(before)), now_(std::move(now)) {
    for (const std::string& line : before_) ++count_before_[without_blanks(line)];
    for (std::size_t i = 0; i < now_.size(); ++i) {
      places_now_[without_blanks(now_[i])].push_back(static_cast<int>(i) + 1);
    }
  }

  // How far most of these lines have moved, by those whose text is unique.
  int shift(const std::vector<int>& numbers) const {
    std::map<int, int> votes;
    for (const int number : numbers) {
      const auto now = places(number);
      if (now != places_now_.end() && now->second.size() == 1 && count_before_.at(now->first) == 1)
        ++votes[now->second.front() - number];
    }
    const auto most =
        std::max_element(votes.begin(), votes.end(),
                         [](const auto& a, const auto& b) { return a.second < b.second; });
    return most != votes.end() ? most->first : 0;
  }

  int now(int number, int shift) const {
    const int expected = number + shift;
    const auto found = places(number);
    if (found == places_now_.end()) return std::max(expected, 1);
    return *std::min_element(found->second.begin(), found->second.end(), [expected](int a, int b) {
      return std::abs(a - expected) < std::abs(b - expected);
    });
  }

 private:
  using PlacesByText = std::unordered_map<std::string_view, std::vector<int>>;

  PlacesByText::const_iterator places(int number) const {
    if (number < 1 || static_cast<std::size_t>(number) > before_.size()) return places_now_.end();
    return places_now_.find(without_blanks(before_[static_cast<std::size_t>(number) - 1]));
  }

  std::vector<std::string> before_, now_;
  PlacesByText places_now_;
  std::unordered_map<std::string_view, int> count_before_;
};

// The numbers that the lines of an earlier trace have now.
class MovedLines {
 public:
  MovedLines(const Trace& before, const SourceLines& source_now, const SourceLines& source_before) {
    if (!source_now || !source_before) return;
    std::map<std::pair<std::string_view, std::string_view>, std::vector<int>> numbers;
    for (const Node& node : before.nodes) {
      if (node.frame.line > 0)
        numbers[{node.frame.file, node.frame.function}].push_back(node.frame.line);
    }
    std::map<std::string_view, MovedFile> files;
    for (const auto& [function, lines] : numbers) {
      auto file = files.find(function.first);
      if (file == files.end()) {
        const std::string name(function.first);
        file = files.try_emplace(function.first, source_before(name), source_now(name)).first;
      }
      const int shift = file->second.shift(lines);
      for (const int line : lines) {
        const int now = file->second.now(line, shift);
        if (now != line) moved_[{function.first, function.second, line}] = now;
      }
    }
  }

  int now(const Frame& frame) const {
    const auto moved = moved_.find({frame.file, frame.function, frame.line});
    return moved != moved_.end() ? moved->second : frame.line;
  }

 private:
  std::map<std::tuple<std::string_view, std::string_view, int>, int> moved_;
};

class Combiner {
 public:
  template <class Number>
  void add(const Trace& trace, bool subtract, Number number) {
    std::vector<Id> ids(trace.nodes.size());
    for (std::size_t i = 0; i < trace.nodes.size(); ++i) {
      const Node& node = trace.nodes[i];
      if (i != 0) {
        const Frame& frame = node.frame;
        const Id site =
            places_.site(places_.intern(frame.function, frame.file, frame.kind), number(frame));
        ids[i] = tree_.child(ids[node.parent], site);
      }
      tree_.nodes[ids[i]].self += subtract ? negative(node.self) : node.self;
    }
    for (const Thread& thread : trace.threads) {
      add_flat(facts.threads, subtract, thread,
               [&](const Thread& t) { return t.id == thread.id && t.name == thread.name; });
    }
    for (const AllocatorUse& use : trace.allocators) {
      add_flat(facts.allocators, subtract, use,
               [&](const AllocatorUse& u) { return u.name == use.name; });
    }
    if (subtract) return;
    for (const auto& [reason, count] : trace.lost) {
      const auto known = std::find_if(facts.lost.begin(), facts.lost.end(),
                                      [&](const auto& entry) { return entry.first == reason; });
      if (known == facts.lost.end()) {
        facts.lost.emplace_back(reason, count);
      } else {
        known->second += count;
      }
    }
  }

  Trace finish() {
    const std::vector<TreeNode> tree = changed_nodes();
    return assemble(std::move(facts), std::move(places_), tree);
  }

  Trace facts;

 private:
  template <class Place, class IsSame>
  static void add_flat(std::vector<Place>& places, bool subtract, const Place& place,
                       IsSame is_same) {
    auto sum = std::find_if(places.begin(), places.end(), is_same);
    if (sum == places.end()) {
      sum = places.insert(sum, place);
      sum->self = sum->total = Counters{};
    }
    sum->self += subtract ? negative(place.self) : place.self;
  }

  // The tree without the branches where nothing is left. Their places are gone with them.
  std::vector<TreeNode> changed_nodes() {
    std::vector<bool> kept(tree_.nodes.size());
    for (std::size_t i = tree_.nodes.size(); i-- > 0;) {
      if (tree_.nodes[i].self != Counters{}) kept[i] = true;
      if (kept[i]) kept[tree_.nodes[i].parent] = true;
    }
    kept[0] = true;
    Places places;
    TreeMaker tree;
    std::vector<Id> ids(tree_.nodes.size());
    for (std::size_t i = 0; i < tree_.nodes.size(); ++i) {
      if (!kept[i]) continue;
      const TreeNode& node = tree_.nodes[i];
      if (i != 0) {
        const Site& site = places_[node.site];
        const Function& function = places_.functions[site.function];
        const File& file = places_.files[site.file];
        ids[i] = tree.child(ids[node.parent],
                            places.site(places.intern(function.name, file.name, file.kind),
                                        places_.lines[site.line].number));
      }
      tree.nodes[ids[i]].self = node.self;
    }
    old_places_ = std::move(places_);  // the new ones refer to their strings
    places_ = std::move(places);
    return std::move(tree.nodes);
  }

  Places places_, old_places_;
  TreeMaker tree_;
};

const std::string& if_equal(const std::string& a, const std::string& b) {
  static const std::string kNone;
  return a == b ? a : kNone;
}

}  // namespace

Trace merge(std::span<const Trace* const> traces) {
  Combiner combiner;
  Trace& facts = combiner.facts;
  const Trace& first = *traces.front();
  facts.name = first.name;
  facts.python_version = first.python_version;
  facts.command = first.command;
  for (const Trace* trace : traces) {
    combiner.add(*trace, false, [](const Frame& frame) { return frame.line; });
    if (trace->name != first.name)
      facts.name = "merge of " + std::to_string(traces.size()) + " traces";
    facts.python_version = if_equal(facts.python_version, trace->python_version);
    facts.command = if_equal(facts.command, trace->command);
    facts.time_s = std::max(facts.time_s, trace->time_s);
    facts.duration_ns += trace->duration_ns;
    facts.is_difference = facts.is_difference || trace->is_difference;
  }
  return combiner.finish();
}

Trace diff(const Trace& now, const Trace& before, const SourceLines& source_now,
           const SourceLines& source_before) {
  const MovedLines moved(before, source_now, source_before);
  Combiner combiner;
  Trace& facts = combiner.facts;
  facts.name = now.name;
  facts.python_version = now.python_version;
  facts.command = now.command;
  facts.time_s = now.time_s;
  facts.duration_ns = now.duration_ns - before.duration_ns;
  facts.is_difference = true;
  combiner.add(now, false, [](const Frame& frame) { return frame.line; });
  combiner.add(before, true, [&](const Frame& frame) { return moved.now(frame); });
  return combiner.finish();
}

}  // namespace malloc_tracer::trace
