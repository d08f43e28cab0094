// SPDX-License-Identifier: MIT
#include "report/json_stream.hpp"

#include "report/utf8.hpp"

namespace malloc_tracer::report {
namespace {

std::size_t plain_prefix(std::string_view text) {
  std::size_t size = 0;
  while (size < text.size()) {
    const auto byte = static_cast<unsigned char>(text[size]);
    if (byte < 0x20 || byte >= 0x80 || byte == '"' || byte == '\\') break;
    ++size;
  }
  return size;
}

}  // namespace

JsonStream& JsonStream::value(std::string_view text) {
  separate();
  out_ += '"';
  while (!text.empty()) {
    const std::size_t plain = plain_prefix(text);
    out_.append(text.substr(0, plain));
    text.remove_prefix(plain);
    if (text.empty()) break;
    const Decoded next = decode_utf8(text);
    if (next.valid && next.point >= 0x80) {
      out_.append(text.substr(0, next.size));
      text.remove_prefix(next.size);
      continue;
    }
    const auto byte = static_cast<unsigned char>(text.front());
    escape(byte < 0x80 ? byte : 0xdc00U + byte);
    text.remove_prefix(1);
  }
  out_ += '"';
  return *this;
}

void JsonStream::escape(unsigned point) {
  if (point == '"' || point == '\\') {
    out_ += '\\';
    out_ += static_cast<char>(point);
  } else if (point == '\n') {
    out_ += "\\n";
  } else {
    out_ += "\\u";
    for (int shift = 12; shift >= 0; shift -= 4) out_ += "0123456789abcdef"[point >> shift & 0xf];
  }
}

}  // namespace malloc_tracer::report
