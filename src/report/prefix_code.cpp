// SPDX-License-Identifier: MIT
#include "report/prefix_code.hpp"

#include <algorithm>

namespace malloc_tracer::report {
namespace {

struct Tree {
  std::uint64_t count;
  std::size_t parent;
};

// Lengths of Huffman's code, however long: the two rarest trees become one until one is left.
// Leaves stand in order of their counts, and trees come into being in that order too, so the rarest
// is the first of either row.
void set_lengths(const Counts& counts, std::vector<std::uint8_t>& lengths) {
  std::vector<std::size_t> symbols;
  for (std::size_t symbol = 0; symbol < counts.size(); ++symbol) {
    if (counts[symbol] > 0) symbols.push_back(symbol);
  }
  std::ranges::stable_sort(symbols, {}, [&](std::size_t symbol) { return counts[symbol]; });
  std::vector<Tree> trees;
  trees.reserve(2 * symbols.size() - 1);
  for (const std::size_t symbol : symbols) trees.push_back({counts[symbol], 0});
  std::size_t leaf = 0, joined = symbols.size();
  const auto take_rarest = [&] {
    const bool is_leaf = leaf < symbols.size() &&
                         (joined == trees.size() || trees[leaf].count <= trees[joined].count);
    const std::size_t rarest = is_leaf ? leaf++ : joined++;
    trees[rarest].parent = trees.size();
    return trees[rarest].count;
  };
  while (trees.size() < 2 * symbols.size() - 1) {
    const std::uint64_t first = take_rarest(), second = take_rarest();
    trees.push_back({first + second, 0});
  }
  std::vector<std::uint8_t> depths(trees.size());
  for (std::size_t tree = trees.size() - 1; tree-- > 0;) {
    depths[tree] = static_cast<std::uint8_t>(depths[trees[tree].parent] + 1);
    if (tree < symbols.size()) lengths[symbols[tree]] = depths[tree];
  }
}

}  // namespace

PrefixCode::PrefixCode(Counts counts, int longest) : lengths(counts.size()), bits(counts.size()) {
  for (std::size_t symbol = 0; std::ranges::count(counts, 0U) + 2 > std::ssize(counts); ++symbol) {
    counts[symbol] = std::max(counts[symbol], 1U);
  }
  // Flatter counts, a flatter tree: rarely needed, and no more than a few bits worse than the best.
  while (set_lengths(counts, lengths), *std::ranges::max_element(lengths) > longest) {
    for (std::uint32_t& count : counts) count = (count + 1) / 2;
  }
  unsigned next = 0;
  for (int length = 1; length <= longest; ++length, next <<= 1) {
    for (std::size_t symbol = 0; symbol < lengths.size(); ++symbol) {
      if (lengths[symbol] != length) continue;
      unsigned reversed = 0;
      for (int bit = 0; bit < length; ++bit) reversed |= (next >> bit & 1) << (length - 1 - bit);
      bits[symbol] = static_cast<std::uint16_t>(reversed);
      ++next;
    }
  }
}

std::span<const std::uint8_t> PrefixCode::used_lengths(std::size_t least) const {
  std::size_t size = lengths.size();
  while (size > least && lengths[size - 1] == 0) --size;
  return std::span(lengths).first(size);
}

}  // namespace malloc_tracer::report
