// SPDX-License-Identifier: MIT
#include "trace/line_matcher.hpp"

#include <algorithm>
#include <cstddef>
#include <map>
#include <set>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "trace/alignment.hpp"

namespace malloc_tracer::trace {
namespace {

class LineMatcher {
 public:
  LineMatcher(const FunctionLines& earlier, const FunctionLines& later)
      : earlier_(earlier), later_(later), left_(later.numbers.begin(), later.numbers.end()) {}

  std::vector<int> match() {
    if (earlier_.sources.has(earlier_.file) && later_.sources.has(later_.file)) {
      find_in_order();
      find_moved();
      find_edited();
    }
    std::vector<int> matched;
    for (const int line : earlier_.numbers) {
      const auto found = found_.find(line);
      matched.push_back(found != found_.end() ? found->second : without_match(line));
    }
    return matched;
  }

 private:
  void take(int line, int found) {
    found_[line] = found;
    left_.erase(found);
  }

  bool is_found(int line) const { return found_.contains(line); }

  // Without text the number is all that is known of a line.
  int without_match(int line) const {
    const bool has_text =
        earlier_.sources.line(earlier_.file, line).has_value() && later_.sources.has(later_.file);
    return !has_text && left_.contains(line) ? line : -line;
  }

  // --- Step 1 ---

  void find_in_order() {
    const std::vector<TextLine> before = text_of(earlier_);
    const std::vector<TextLine> now = later_.numbers.empty() ? idle_text(before) : text_of(later_);
    std::unordered_map<std::string_view, std::size_t> ids;
    const auto ids_of = [&](const std::vector<TextLine>& lines) {
      std::vector<std::size_t> all;
      all.reserve(lines.size());
      for (const TextLine& line : lines) {
        all.push_back(ids.try_emplace(line.text, ids.size()).first->second);
      }
      return all;
    };
    for (const auto& [at, at_now] : align(ids_of(before), ids_of(now))) {
      take(before[at].number, now[at_now].number);
      anchors_.emplace_back(before[at].number, now[at_now].number);
    }
  }

  // The text of a later function that allocates nothing: known by its first line, if that is there
  // once.
  std::vector<TextLine> idle_text(const std::vector<TextLine>& before) const {
    if (before.empty()) return {};
    std::vector<int> first = later_.sources.numbers_of(later_.file, before.front().text);
    if (first.size() != 1) return {};
    return text_of({later_.sources, later_.file, std::move(first)});
  }

  // --- Steps 2 and 3 ---

  void find_moved() {
    std::unordered_map<std::string_view, std::vector<int>> lines_of;  // the uppermost last
    for (const TextLine& line : left_with_text()) lines_of[line.text].push_back(line.number);
    for (auto& [text, lines] : lines_of) std::ranges::reverse(lines);
    for (const TextLine& line : unmatched()) {
      const auto same = lines_of.find(line.text);
      if (same == lines_of.end() || same->second.empty()) continue;
      take(line.number, same->second.back());
      same->second.pop_back();
    }
  }

  void find_edited() {
    // By how many of the lines found in order stand above.
    std::map<std::size_t, std::pair<std::vector<int>, std::vector<int>>> gaps;
    for (const TextLine& line : unmatched())
      gaps[anchors_above(line.number, &Anchor::first)].first.push_back(line.number);
    for (const TextLine& line : left_with_text())
      gaps[anchors_above(line.number, &Anchor::second)].second.push_back(line.number);
    for (const auto& [gap, lines] : gaps) {
      const auto& [gone, fresh] = lines;
      if (gone.size() == 1 && fresh.size() == 1) take(gone.front(), fresh.front());
    }
  }

  std::vector<TextLine> unmatched() const {
    std::vector<TextLine> lines;
    for (const int line : earlier_.numbers) {
      const auto text = earlier_.sources.line(earlier_.file, line);
      if (text && !is_found(line)) lines.push_back({line, trimmed(*text)});
    }
    return lines;
  }

  std::vector<TextLine> left_with_text() const {
    std::vector<TextLine> lines;
    for (const int line : left_) {
      if (const auto text = later_.sources.line(later_.file, line)) {
        lines.push_back({line, trimmed(*text)});
      }
    }
    return lines;
  }

  using Anchor = std::pair<int, int>;  // a line found in order: its number then and now

  std::size_t anchors_above(int line, int Anchor::*number) const {
    const auto below = std::ranges::partition_point(
        anchors_, [&](const Anchor& anchor) { return anchor.*number < line; });
    return static_cast<std::size_t>(below - anchors_.begin());
  }

  const FunctionLines& earlier_;
  const FunctionLines& later_;
  std::unordered_map<int, int> found_;  // by earlier line
  std::set<int> left_;                  // later lines that no earlier one has been matched with
  std::vector<Anchor> anchors_;         // ascending in both
};

}  // namespace

std::vector<int> match_lines(const FunctionLines& earlier, const FunctionLines& later) {
  return LineMatcher(earlier, later).match();
}

}  // namespace malloc_tracer::trace
