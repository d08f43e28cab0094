// SPDX-License-Identifier: MIT
#include "report/deflate.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <utility>
#include <vector>

#include "report/prefix_code.hpp"

namespace malloc_tracer::report {
namespace {

// Limits of the format. It allows matches of three bytes, but three digits are cheaper as they are.
constexpr std::size_t kFarthest = 1 << 15, kLongest = 258, kShortest = 5;
constexpr std::size_t kEndOfBlock = 256, kLiterals = 286, kDistances = 30;
// What is looked for: this many candidates, and nothing better once a match is that long.
constexpr int kCandidates = 8;
constexpr std::size_t kLongEnough = 64;
constexpr std::size_t kBlockTokens = 1 << 15;

// A byte, or, with a distance, a repetition of `value` bytes from so far back.
struct Token {
  std::uint16_t value;
  std::uint16_t distance;
};

// A number as a symbol and what must be said beside it: `top` bits of it and its size are the
// symbol.
struct Bucket {
  std::size_t symbol;
  int extra_bits;
  std::uint64_t extra;
};

constexpr Bucket bucket(std::size_t number, int top) {
  const int extra_bits = std::max(0, static_cast<int>(std::bit_width(number)) - 1 - top);
  return {(static_cast<std::size_t>(extra_bits) << top) + (number >> extra_bits), extra_bits,
          number & ((std::uint64_t{1} << extra_bits) - 1)};
}

constexpr Bucket length_bucket(std::size_t length) {
  if (length == kLongest) return {kLiterals - 1, 0, 0};
  Bucket found = bucket(length - 3, 2);
  found.symbol += kEndOfBlock + 1;
  return found;
}

constexpr Bucket distance_bucket(std::size_t distance) { return bucket(distance - 1, 1); }

class Bits {
 public:
  // The lowest of `count` bits first; up to 48 at once.
  void put(std::uint64_t bits, int count) {
    pending_ |= bits << pending_count_;
    pending_count_ += count;
    for (; pending_count_ >= 8; pending_count_ -= 8, pending_ >>= 8)
      out_ += static_cast<char>(pending_);
  }

  void put(const PrefixCode& code, std::size_t symbol) {
    put(code.bits[symbol], code.lengths[symbol]);
  }

  std::string take() {
    if (pending_count_ > 0) out_ += static_cast<char>(pending_);
    return std::move(out_);
  }

 private:
  std::string out_;
  std::uint64_t pending_ = 0;
  int pending_count_ = 0;
};

// One symbol of the code in which the lengths of the other two codes are written.
struct LengthSymbol {
  std::uint8_t symbol;
  int extra_bits;
  std::uint64_t extra;
};

// 16 repeats what stands before three to six times; 17 and 18 are three to ten and 11 to 138 zeros.
std::vector<LengthSymbol> shortened(std::span<const std::uint8_t> lengths) {
  std::vector<LengthSymbol> symbols;
  for (std::size_t at = 0; at < lengths.size();) {
    const std::uint8_t length = lengths[at];
    std::size_t run = 1;
    while (at + run < lengths.size() && lengths[at + run] == length) ++run;
    at += run;
    if (length > 0) {
      symbols.push_back({length, 0, 0});
      --run;
    }
    while (run >= 3) {
      const std::size_t most = length > 0 ? 6 : run < 11 ? 10 : 138, part = std::min(run, most);
      if (length > 0) {
        symbols.push_back({16, 2, part - 3});
      } else if (part < 11) {
        symbols.push_back({17, 3, part - 3});
      } else {
        symbols.push_back({18, 7, part - 11});
      }
      run -= part;
    }
    for (; run > 0; --run) symbols.push_back({length, 0, 0});
  }
  return symbols;
}

void put_codes(Bits& out, const PrefixCode& literals, const PrefixCode& distances) {
  static constexpr std::array<std::uint8_t, 19> kOrder = {16, 17, 18, 0, 8,  7, 9,  6, 10, 5,
                                                          11, 4,  12, 3, 13, 2, 14, 1, 15};
  const auto first = literals.used_lengths(kEndOfBlock + 1), second = distances.used_lengths(1);
  std::vector<std::uint8_t> lengths(first.begin(), first.end());
  lengths.insert(lengths.end(), second.begin(), second.end());
  const std::vector<LengthSymbol> symbols = shortened(lengths);
  Counts counts(kOrder.size());
  for (const LengthSymbol& one : symbols) ++counts[one.symbol];
  const PrefixCode code(counts, 7);
  std::size_t used = kOrder.size();
  while (used > 4 && code.lengths[kOrder[used - 1]] == 0) --used;
  out.put(first.size() - (kEndOfBlock + 1), 5);
  out.put(second.size() - 1, 5);
  out.put(used - 4, 4);
  for (std::size_t i = 0; i < used; ++i) out.put(code.lengths[kOrder[i]], 3);
  for (const LengthSymbol& one : symbols) {
    out.put(code, one.symbol);
    out.put(one.extra, one.extra_bits);
  }
}

void put_block(Bits& out, std::span<const Token> tokens, bool is_last) {
  Counts literal_counts(kLiterals), distance_counts(kDistances);
  literal_counts[kEndOfBlock] = 1;
  for (const Token& token : tokens) {
    if (token.distance == 0) {
      ++literal_counts[token.value];
    } else {
      ++literal_counts[length_bucket(token.value).symbol];
      ++distance_counts[distance_bucket(token.distance).symbol];
    }
  }
  const PrefixCode literals(literal_counts, 15), distances(distance_counts, 15);
  out.put(is_last ? 1 : 0, 1);
  out.put(2, 2);  // codes of its own
  put_codes(out, literals, distances);
  for (const Token& token : tokens) {
    if (token.distance == 0) {
      out.put(literals, token.value);
      continue;
    }
    const Bucket length = length_bucket(token.value), distance = distance_bucket(token.distance);
    out.put(literals, length.symbol);
    out.put(length.extra, length.extra_bits);
    out.put(distances, distance.symbol);
    out.put(distance.extra, distance.extra_bits);
  }
  out.put(literals, kEndOfBlock);
}

struct Match {
  std::size_t length = 0;
  std::size_t distance = 0;
};

// Earlier places with the same beginning, the nearest first. Places are kept modulo 2^32 and may be
// stale: what is there is compared anyway.
class Places {
 public:
  explicit Places(std::string_view content)
      : content_(content), newest_(kHashes), older_(kFarthest) {}

  void add(std::size_t at) {
    if (at + kShortest > content_.size()) return;
    std::uint32_t& newest = newest_[hash(at)];
    older_[at % kFarthest] = newest;
    newest = static_cast<std::uint32_t>(at);
  }

  // The longest repetition at a place that was not yet added.
  Match longest(std::size_t at) const {
    Match best;
    if (at + kShortest > content_.size()) return best;
    std::uint32_t place = newest_[hash(at)];
    std::size_t last_distance = 0;
    for (int left = kCandidates; left > 0; --left) {
      const std::size_t distance = static_cast<std::uint32_t>(at) - place;
      if (distance <= last_distance || distance > std::min(at, kFarthest)) break;
      const std::size_t length = common(at - distance, at);
      if (length > best.length) best = {length, distance};
      if (best.length >= kLongEnough) break;
      last_distance = distance;
      place = older_[place % kFarthest];
    }
    return best.length < kShortest ? Match{} : best;
  }

 private:
  static constexpr std::size_t kHashes = 1 << 15;

  std::uint64_t eight(std::size_t at) const {
    std::uint64_t bytes = 0;
    std::memcpy(&bytes, content_.data() + at, sizeof bytes);
    return bytes;
  }

  std::size_t hash(std::size_t at) const {
    std::uint32_t bytes = 0;
    std::memcpy(&bytes, content_.data() + at, sizeof bytes);
    return (bytes * 0x9e3779b1U) >> 17;
  }

  // How many bytes at the two places are the same.
  std::size_t common(std::size_t earlier, std::size_t at) const {
    const std::size_t limit = std::min(kLongest, content_.size() - at);
    std::size_t length = 0;
    for (; length + 8 <= limit; length += 8) {
      const std::uint64_t difference = eight(earlier + length) ^ eight(at + length);
      if (difference != 0)
        return length + static_cast<std::size_t>(std::countr_zero(difference)) / 8;
    }
    while (length < limit && content_[earlier + length] == content_[at + length]) ++length;
    return length;
  }

  std::string_view content_;
  std::vector<std::uint32_t> newest_;  // by hash
  std::vector<std::uint32_t> older_;   // by place, modulo the size: the one before it of its hash
};

}  // namespace

std::string deflate(std::string_view content) {
  Bits out;
  Places places(content);
  std::vector<Token> tokens;
  tokens.reserve(kBlockTokens);
  const auto put = [&](std::size_t value, std::size_t distance) {
    if (tokens.size() == kBlockTokens) {
      put_block(out, tokens, false);
      tokens.clear();
    }
    tokens.push_back({static_cast<std::uint16_t>(value), static_cast<std::uint16_t>(distance)});
  };
  for (std::size_t at = 0; at < content.size();) {
    Match match = places.longest(at);
    places.add(at);
    // A longer match one byte later is worth a byte as it is.
    while (match.length > 0 && match.length < kLongEnough) {
      const Match next = places.longest(at + 1);
      if (next.length <= match.length) break;
      put(static_cast<unsigned char>(content[at]), 0);
      places.add(++at);
      match = next;
    }
    if (match.length == 0) {
      put(static_cast<unsigned char>(content[at++]), 0);
      continue;
    }
    put(match.length, match.distance);
    for (const std::size_t end = at + match.length; ++at < end;) places.add(at);
  }
  put_block(out, tokens, true);
  return out.take();
}

}  // namespace malloc_tracer::report
