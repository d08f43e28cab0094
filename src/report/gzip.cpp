// SPDX-License-Identifier: MIT
#include "report/gzip.hpp"

#include <array>
#include <cstdint>

#include "report/deflate.hpp"

namespace malloc_tracer::report {
namespace {

constexpr std::array<std::uint32_t, 256> kCrcTable = [] {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t byte = 0; byte < table.size(); ++byte) {
    std::uint32_t value = byte;
    for (int bit = 0; bit < 8; ++bit) value = value >> 1 ^ (value & 1 ? 0xedb88320U : 0);
    table[byte] = value;
  }
  return table;
}();

std::uint32_t crc32(std::string_view content) {
  std::uint32_t crc = 0xffffffff;
  for (const char byte : content) {
    crc = crc >> 8 ^ kCrcTable[(crc ^ static_cast<unsigned char>(byte)) & 0xff];
  }
  return ~crc;
}

void append(std::string& out, std::uint64_t number, int bytes) {  // little endian
  for (int i = 0; i < bytes; ++i) out += static_cast<char>(number >> 8 * i);
}

}  // namespace

std::string gzip(std::string_view content) {
  // Magic, deflate, no flags, no time (equal traces are equal files), no hint, unknown system.
  std::string out("\x1f\x8b\x08\0\0\0\0\0\0\xff", 10);
  out += deflate(content);
  append(out, crc32(content), 4);
  append(out, content.size(), 4);
  return out;
}

}  // namespace malloc_tracer::report
