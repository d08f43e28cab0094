// SPDX-License-Identifier: MIT
#include "trace/diff.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "trace/block_sizes.hpp"
#include "trace/error.hpp"
#include "trace/line_matcher.hpp"
#include "trace/source_lines.hpp"
#include "trace/tables.hpp"

namespace malloc_tracer::trace {
namespace {

std::string_view last_name(std::string_view path) { return path.substr(path.rfind('/') + 1); }

// Files of the earlier trace by the name they have in the later one.
class FileNames {
 public:
  FileNames(const Tables& later, const Tables& earlier) {
    std::set<std::string_view> in_later, in_earlier;
    for (const auto& file : later.files) in_later.insert(file.name);
    for (const auto& file : earlier.files) in_earlier.insert(file.name);
    std::map<std::string_view, std::pair<std::vector<Text>, std::vector<Text>>> by_last_name;
    for (const auto& file : earlier.files) {
      if (!in_later.contains(file.name))
        by_last_name[last_name(file.name)].first.push_back(file.name);
    }
    for (const auto& file : later.files) {
      if (!in_earlier.contains(file.name))
        by_last_name[last_name(file.name)].second.push_back(file.name);
    }
    for (const auto& [name, files] : by_last_name) {
      if (files.first.size() == 1 && files.second.size() == 1) {
        moved_.emplace(files.first.front(), files.second.front());
      }
    }
  }

  const Text& operator()(const Text& file) const {
    const auto found = moved_.find(file);
    return found != moved_.end() ? found->second : file;
  }

 private:
  std::map<std::string, Text, std::less<>> moved_;
};

class Diff {
 public:
  Diff(const Trace& later, const Trace& earlier)
      : later_(later),
        earlier_(earlier),
        later_tables_(tables_of(later)),
        earlier_tables_(tables_of(earlier)),
        later_sources_(later.sources),
        earlier_sources_(earlier.sources),
        file_name_(later_tables_, earlier_tables_) {}

  Trace make() {
    std::vector<Id> frames;
    for (const auto& [function, line] : later_tables_.frames) {
      const Id id = function_in_maker(later_tables_, function, false);
      frames.push_back(maker_.frame(id, line));
      later_lines_[id].push_back(line);
    }
    for (auto& [function, lines] : later_lines_) std::sort(lines.begin(), lines.end());
    maker_.add(later_tables_, frames, false);
    maker_.add(earlier_tables_, earlier_frames(), true);
    return sum_up(facts(), maker_.take());
  }

 private:
  Id function_in_maker(const Tables& tables, Id function, bool is_earlier) {
    const Tables::FunctionRow& row = tables.functions[function];
    const Tables::FileRow& file = tables.files[row.file];
    return maker_.function(row.name,
                           maker_.file(is_earlier ? file_name_(file.name) : file.name, file.kind));
  }

  std::vector<Id> earlier_frames() {
    std::map<Id, std::map<int, Id>> by_function;  // line, frame
    for (Id i = 0; i < earlier_tables_.frames.size(); ++i) {
      const auto& [function, line] = earlier_tables_.frames[i];
      by_function[function].emplace(line, i);
    }
    std::vector<Id> frames(earlier_tables_.frames.size());
    for (const auto& [function, lines] : by_function) {
      const Id id = function_in_maker(earlier_tables_, function, true);
      const Text& file = earlier_tables_.files[earlier_tables_.functions[function].file].name;
      std::vector<int> numbers;
      for (const auto& [line, frame] : lines) numbers.push_back(line);
      const std::vector<int> matched =
          match_lines({earlier_sources_, file, std::move(numbers)},
                      {later_sources_, file_name_(file), later_lines_[id]});
      auto now = matched.begin();
      for (const auto& [line, frame] : lines) frames[frame] = maker_.frame(id, *now++);
    }
    return frames;
  }

  Trace facts() const {
    Trace facts;
    facts.name = later_.name;
    facts.python_version = later_.python_version;
    facts.command = later_.command;
    facts.time_ms = later_.time_ms;
    facts.duration_ns = later_.duration_ns - earlier_.duration_ns;
    facts.is_difference = true;
    if (knows_block_sizes(later_) && knows_block_sizes(earlier_)) {
      facts.block_sizes = add_block_sizes(later_.block_sizes, earlier_.block_sizes, -1);
    }
    facts.lost = later_.lost;
    for (const auto& entry : earlier_.lost) {
      facts.lost.emplace_back(entry.first + " (earlier trace)", entry.second);
    }
    facts.sources = later_.sources;
    for (Source source : earlier_.sources) {
      source.file = file_name_(source.file);
      source.is_earlier = true;
      facts.sources.push_back(std::move(source));
    }
    facts.listing = later_.listing;
    facts.listing.related = Related::kInDescendingOrder;
    return facts;
  }

  const Trace& later_;
  const Trace& earlier_;
  const Tables later_tables_, earlier_tables_;
  const SourceLines later_sources_, earlier_sources_;
  const FileNames file_name_;
  TableMaker maker_;
  std::map<Id, std::vector<int>> later_lines_;  // by the maker's function
};

}  // namespace

Trace diff(const Trace& later, const Trace& earlier) {
  for (const Trace* trace : {&later, &earlier}) {
    if (trace->is_difference) {
      throw Error("'" + trace->name + "' is a difference already: compare the traces themselves");
    }
  }
  return Diff(later, earlier).make();
}

}  // namespace malloc_tracer::trace
