// SPDX-License-Identifier: MIT
#include "trace/diff.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "trace/error.hpp"
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
    std::map<Id, std::vector<std::pair<int, Id>>> by_function;  // line, frame
    for (Id i = 0; i < earlier_tables_.frames.size(); ++i) {
      const auto& [function, line] = earlier_tables_.frames[i];
      by_function[function].emplace_back(line, i);
    }
    std::vector<Id> frames(earlier_tables_.frames.size());
    for (auto& [function, lines] : by_function) {
      std::sort(lines.begin(), lines.end());
      const Id id = function_in_maker(earlier_tables_, function, true);
      const Text& file = earlier_tables_.files[earlier_tables_.functions[function].file].name;
      Matcher matcher(*this, file, later_lines_[id]);
      for (const auto& [line, frame] : lines) frames[frame] = maker_.frame(id, matcher.match(line));
    }
    return frames;
  }

  // The lines of one function of the earlier trace, asked for in ascending order.
  class Matcher {
   public:
    Matcher(const Diff& diff, const Text& file, const std::vector<int>& later_lines)
        : diff_(diff),
          file_(file),
          later_file_(diff.file_name_(file)),
          later_lines_(later_lines),
          by_text_(diff.earlier_sources_.has(file) && diff.later_sources_.has(later_file_)) {}

    int match(int line) {
      const auto text = by_text_ ? diff_.earlier_sources_.line(file_, line) : std::nullopt;
      if (!text) return is_in_later(line) ? line : -line;
      const auto now = diff_.later_sources_.line(later_file_, line);
      if (shift_ == 0 && now && trimmed(*now) == trimmed(*text) &&
          (is_in_later(line) || is_same_around(line))) {
        return taken(line, line);
      }
      const std::optional<int> found = nearest(line, trimmed(*text));
      return found ? taken(line, *found) : -line;
    }

   private:
    bool is_in_later(int line) const {
      return std::binary_search(later_lines_.begin(), later_lines_.end(), line);
    }

    // A line may be there still and allocate nothing any more.
    bool is_same_around(int line) const {
      for (const int near : {line - 1, line + 1}) {
        const auto before = diff_.earlier_sources_.line(file_, near);
        if (before != diff_.later_sources_.line(later_file_, near)) return false;
      }
      return true;
    }

    // Among lines of equal text the one that has moved as the function's previous line has: first
    // those with numbers of their own, then, if a line of the function has been found already, any.
    std::optional<int> nearest(int line, std::string_view text) const {
      std::vector<int> candidates;
      for (const int other : later_lines_) {
        const auto now = diff_.later_sources_.line(later_file_, other);
        if (now && trimmed(*now) == text) candidates.push_back(other);
      }
      const std::optional<int> found = closest(line, candidates);
      if (found || last_ == 0) return found;
      return closest(line, diff_.later_sources_.numbers_of(later_file_, text));
    }

    std::optional<int> closest(int line, const std::vector<int>& candidates) const {
      std::optional<int> best;
      for (const int other : candidates) {
        if (other <= last_) continue;
        if (!best || std::abs(other - line - shift_) < std::abs(*best - line - shift_))
          best = other;
      }
      return best;
    }

    int taken(int line, int now) {
      shift_ = now - line;
      last_ = now;
      return now;
    }

    const Diff& diff_;
    const Text& file_;
    const Text& later_file_;
    const std::vector<int>& later_lines_;  // with numbers, ascending
    const bool by_text_;
    int shift_ = 0, last_ = 0;  // of the line matched last
  };

  Trace facts() const {
    Trace facts;
    facts.name = later_.name;
    facts.python_version = later_.python_version;
    facts.command = later_.command;
    facts.time_ms = later_.time_ms;
    facts.duration_ns = later_.duration_ns - earlier_.duration_ns;
    facts.is_difference = true;
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
