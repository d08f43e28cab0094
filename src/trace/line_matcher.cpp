// SPDX-License-Identifier: MIT
#include "trace/line_matcher.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <map>
#include <optional>
#include <set>
#include <unordered_map>
#include <utility>

namespace malloc_tracer::trace {
namespace {

class LineMatcher {
 public:
  LineMatcher(const FunctionLines& earlier, const FunctionLines& later)
      : earlier_(earlier),
        later_(later),
        by_text_(earlier.sources.has(earlier.file) && later.sources.has(later.file)),
        left_(later.numbers.begin(), later.numbers.end()) {
    for (const int line : later.numbers) {
      if (const auto text = later_text(line)) lines_of_[*text].push_back(line);
    }
  }

  std::vector<int> match() {
    for (const int line : earlier_.numbers) {
      const auto text = by_text_ ? earlier_text(line) : std::nullopt;
      take(line, text ? in_order(line, *text).value_or(-line) : number_of(line));
    }
    if (by_text_) {
      find_moved();
      find_edited();
    }
    std::vector<int> matched;
    for (const int line : earlier_.numbers) matched.push_back(found_.at(line));
    return matched;
  }

 private:
  void take(int line, int found) {
    found_[line] = found;
    left_.erase(found);
  }

  int number_of(int line) const { return is_in_later(line) ? line : -line; }

  bool is_in_later(int line) const {
    return std::binary_search(later_.numbers.begin(), later_.numbers.end(), line);
  }

  // --- Step 1; asked for in ascending order ---

  std::optional<int> in_order(int line, std::string_view text) {
    const bool is_there =
        shift() == 0 && later_text(line) == text && (is_in_later(line) || is_same_around(line));
    const std::optional<int> found = is_there ? line : nearest(line, text);
    if (found) anchors_.emplace_back(line, *found);
    return found;
  }

  // A line may be there still and allocate nothing any more.
  bool is_same_around(int line) const {
    for (const int near : {line - 1, line + 1}) {
      const auto before = earlier_.sources.line(earlier_.file, near);
      if (before != later_.sources.line(later_.file, near)) return false;
    }
    return true;
  }

  // Among lines of equal text the one that has moved as the function's previous line has: first
  // those with numbers of their own, then, if a line of the function has been found already, any.
  std::optional<int> nearest(int line, std::string_view text) const {
    const auto candidates = lines_of_.find(text);
    const auto found =
        candidates != lines_of_.end() ? closest(line, candidates->second) : std::nullopt;
    if (found || anchors_.empty()) return found;
    return closest(line, later_.sources.numbers_of(later_.file, text));
  }

  std::optional<int> closest(int line, const std::vector<int>& candidates) const {
    const int last = anchors_.empty() ? 0 : anchors_.back().second;
    std::optional<int> best;
    for (const int other : candidates) {
      if (other <= last) continue;
      if (!best || std::abs(other - line - shift()) < std::abs(*best - line - shift()))
        best = other;
    }
    return best;
  }

  // How far the line found last has moved.
  int shift() const {
    return anchors_.empty() ? 0 : anchors_.back().second - anchors_.back().first;
  }

  // --- Steps 2 and 3 ---

  void find_moved() {
    for (const int line : earlier_.numbers) {
      const auto text = found_.at(line) < 0 ? earlier_text(line) : std::nullopt;
      if (!text) continue;
      const auto same = lines_of_.find(*text);
      if (same == lines_of_.end()) continue;
      const auto moved =
          std::ranges::find_if(same->second, [&](int other) { return left_.contains(other); });
      if (moved != same->second.end()) take(line, *moved);
    }
  }

  void find_edited() {
    // By how many of the lines found in order stand above.
    std::map<std::size_t, std::pair<std::vector<int>, std::vector<int>>> gaps;
    for (const int line : earlier_.numbers) {
      if (found_.at(line) < 0 && earlier_text(line))
        gaps[anchors_above(line, &Anchor::first)].first.push_back(line);
    }
    for (const int line : left_) {
      if (later_text(line)) gaps[anchors_above(line, &Anchor::second)].second.push_back(line);
    }
    for (const auto& [gap, lines] : gaps) {
      const auto& [gone, fresh] = lines;
      if (gone.size() == 1 && fresh.size() == 1) take(gone.front(), fresh.front());
    }
  }

  using Anchor = std::pair<int, int>;  // a line found in order: its number then and now

  std::size_t anchors_above(int line, int Anchor::*number) const {
    const auto below = std::ranges::partition_point(
        anchors_, [&](const Anchor& anchor) { return anchor.*number < line; });
    return static_cast<std::size_t>(below - anchors_.begin());
  }

  std::optional<std::string_view> earlier_text(int line) const { return text_of(earlier_, line); }
  std::optional<std::string_view> later_text(int line) const { return text_of(later_, line); }
  static std::optional<std::string_view> text_of(const FunctionLines& lines, int line) {
    const auto text = lines.sources.line(lines.file, line);
    return text ? std::optional(trimmed(*text)) : std::nullopt;
  }

  const FunctionLines& earlier_;
  const FunctionLines& later_;
  const bool by_text_;
  std::unordered_map<std::string_view, std::vector<int>> lines_of_;  // later lines by text
  std::map<int, int> found_;                                         // by earlier line
  std::set<int> left_;           // later lines that no earlier one has been matched with
  std::vector<Anchor> anchors_;  // ascending in both
};

}  // namespace

std::vector<int> match_lines(const FunctionLines& earlier, const FunctionLines& later) {
  return LineMatcher(earlier, later).match();
}

}  // namespace malloc_tracer::trace
