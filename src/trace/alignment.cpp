// SPDX-License-Identifier: MIT
#include "trace/alignment.hpp"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <unordered_map>

namespace malloc_tracer::trace {
namespace {

constexpr std::size_t kLargestTable = 2000 * 2000;

// Of pairs that ascend in the first, the most that ascend in the second as well.
Alignment longest_ascending(const Alignment& pairs) {
  std::vector<std::size_t> ends;  // the pair that the best chain of each length ends with
  std::vector<std::optional<std::size_t>> before(pairs.size());
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    const auto at = std::ranges::partition_point(
        ends, [&](std::size_t end) { return pairs[end].second < pairs[i].second; });
    if (at != ends.begin()) before[i] = *(at - 1);
    if (at == ends.end()) {
      ends.push_back(i);
    } else {
      *at = i;
    }
  }
  Alignment chain;
  if (!ends.empty()) {
    for (std::optional<std::size_t> i = ends.back(); i; i = before[*i]) chain.push_back(pairs[*i]);
  }
  std::ranges::reverse(chain);
  return chain;
}

struct Stretch {
  Position begin_a, end_a, begin_b, end_b;

  bool is_empty() const { return begin_a == end_a || begin_b == end_b; }
};

class Aligner {
 public:
  Aligner(const std::vector<std::size_t>& a, const std::vector<std::size_t>& b) : a_(a), b_(b) {}

  Alignment run() {
    open_.push_back({0, a_.size(), 0, b_.size()});
    while (!open_.empty()) {
      Stretch stretch = open_.back();
      open_.pop_back();
      take_ends(stretch);
      if (!stretch.is_empty()) divide(stretch);
    }
    std::ranges::sort(found_);
    return std::move(found_);
  }

 private:
  void take_ends(Stretch& in) {
    for (; !in.is_empty() && a_[in.begin_a] == b_[in.begin_b]; ++in.begin_a, ++in.begin_b)
      found_.emplace_back(in.begin_a, in.begin_b);
    for (; !in.is_empty() && a_[in.end_a - 1] == b_[in.end_b - 1]; --in.end_a, --in.end_b)
      found_.emplace_back(in.end_a - 1, in.end_b - 1);
  }

  void divide(const Stretch& in) {
    const Alignment anchors = longest_ascending(there_once(in));
    if (anchors.empty()) {
      take_longest_common(in);
      return;
    }
    Position begin_a = in.begin_a, begin_b = in.begin_b;
    for (const auto& [at_a, at_b] : anchors) {
      found_.emplace_back(at_a, at_b);
      open_.push_back({begin_a, at_a, begin_b, at_b});
      begin_a = at_a + 1;
      begin_b = at_b + 1;
    }
    open_.push_back({begin_a, in.end_a, begin_b, in.end_b});
  }

  Alignment there_once(const Stretch& in) const {
    struct Seen {
      int in_a = 0, in_b = 0;
      Position at_b = 0;
    };
    std::unordered_map<std::size_t, Seen> seen;
    for (Position i = in.begin_a; i < in.end_a; ++i) ++seen[a_[i]].in_a;
    for (Position i = in.begin_b; i < in.end_b; ++i) {
      Seen& one = seen[b_[i]];
      ++one.in_b;
      one.at_b = i;
    }
    Alignment pairs;
    for (Position i = in.begin_a; i < in.end_a; ++i) {
      const Seen& one = seen[a_[i]];
      if (one.in_a == 1 && one.in_b == 1) pairs.emplace_back(i, one.at_b);
    }
    return pairs;
  }

  void take_longest_common(const Stretch& in) {
    const std::size_t rows = in.end_a - in.begin_a, columns = in.end_b - in.begin_b;
    if (rows > kLargestTable / columns) return;
    // The length of what is common from a pair of positions on.
    std::vector<std::uint16_t> lengths((rows + 1) * (columns + 1), 0);
    const auto length = [&](std::size_t row, std::size_t column) -> std::uint16_t& {
      return lengths[row * (columns + 1) + column];
    };
    const auto is_same = [&](std::size_t row, std::size_t column) {
      return a_[in.begin_a + row] == b_[in.begin_b + column];
    };
    for (std::size_t row = rows; row-- > 0;) {
      for (std::size_t column = columns; column-- > 0;) {
        length(row, column) = is_same(row, column)
                                  ? static_cast<std::uint16_t>(length(row + 1, column + 1) + 1)
                                  : std::max(length(row + 1, column), length(row, column + 1));
      }
    }
    for (std::size_t row = 0, column = 0; row < rows && column < columns;) {
      if (is_same(row, column)) {
        found_.emplace_back(in.begin_a + row++, in.begin_b + column++);
      } else if (length(row + 1, column) >= length(row, column + 1)) {
        ++row;
      } else {
        ++column;
      }
    }
  }

  const std::vector<std::size_t>& a_;
  const std::vector<std::size_t>& b_;
  std::vector<Stretch> open_;  // what is not aligned yet
  Alignment found_;
};

}  // namespace

Alignment align(const std::vector<std::size_t>& a, const std::vector<std::size_t>& b) {
  return Aligner(a, b).run();
}

}  // namespace malloc_tracer::trace
