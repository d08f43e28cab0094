// SPDX-License-Identifier: MIT
#include "symbols/python_lines.hpp"

#include <cstddef>
#include <limits>

namespace malloc_tracer::symbols {
namespace {

// Reads a location table entry by entry. An entry is one byte 1kkkklll (kind, length - 1 in code
// units) and a payload that depends on the kind; only an entry's first byte has the high bit set.
class EntryReader {
 public:
  EntryReader(std::string_view table, int first_line) : table_(table), line_(first_line) {}

  // Advances to the next entry; false at the end and at the first malformed entry.
  bool next() {
    if (at_ >= table_.size()) return false;
    const auto first = static_cast<unsigned char>(table_[at_++]);
    if ((first & 0x80) == 0) return false;
    kind_ = (first >> 3) & 0xf;
    end_offset_ += 2 * ((first & 7) + 1);
    read_payload();
    return !malformed_;
  }

  std::uint64_t end_offset() const { return end_offset_; }

  int line() const {
    const bool known = kind_ != kNone && line_ > 0 && line_ <= std::numeric_limits<int>::max();
    return known ? static_cast<int>(line_) : 0;
  }

 private:
  static constexpr int kOneLine0 = 10, kOneLine2 = 12, kNoColumns = 13, kLong = 14, kNone = 15;

  void read_payload() {
    if (kind_ < kOneLine0) {
      payload_byte();  // columns
    } else if (kind_ <= kOneLine2) {
      line_ += kind_ - kOneLine0;
      payload_byte();
      payload_byte();
    } else if (kind_ != kNone) {
      line_ += signed_varint();
      // The long form goes on with end line, column and end column.
      for (int i = 0; kind_ == kLong && i < 3; ++i) varint();
    }
  }

  unsigned payload_byte() {
    const unsigned byte = at_ < table_.size() ? static_cast<unsigned char>(table_[at_]) : 0x80;
    if ((byte & 0x80) != 0) {
      malformed_ = true;
      return 0;
    }
    ++at_;
    return byte;
  }

  // Six bits a byte, lowest first; 0x40 says that more follow. More than six bytes would be more
  // than the 32 bits that CPython writes.
  std::int64_t varint() {
    std::int64_t value = 0;
    for (int shift = 0; shift <= 30; shift += 6) {
      const unsigned byte = payload_byte();
      value |= static_cast<std::int64_t>(byte & 0x3f) << shift;
      if ((byte & 0x40) == 0) return value;
    }
    malformed_ = true;
    return 0;
  }

  std::int64_t signed_varint() {
    const std::int64_t value = varint();
    return (value & 1) != 0 ? -(value >> 1) : value >> 1;
  }

  std::string_view table_;
  std::size_t at_ = 0;
  std::int64_t line_;
  std::uint64_t end_offset_ = 0;
  int kind_ = kNone;
  bool malformed_ = false;
};

}  // namespace

void python_lines(std::string_view line_table, int first_line,
                  std::span<const std::uint32_t> offsets, std::span<int> lines) {
  EntryReader entry(line_table, first_line);
  bool more = entry.next();
  for (std::size_t i = 0; i < offsets.size(); ++i) {
    while (more && offsets[i] >= entry.end_offset()) more = entry.next();
    lines[i] = more ? entry.line() : 0;
  }
}

int python_line(std::string_view line_table, int first_line, int offset) {
  const auto at = static_cast<std::uint32_t>(offset);  // a negative one is beyond every table
  int line = 0;
  python_lines(line_table, first_line, {&at, 1}, {&line, 1});
  return line;
}

}  // namespace malloc_tracer::symbols
