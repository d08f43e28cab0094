// SPDX-License-Identifier: MIT
#pragma once

#include <charconv>
#include <concepts>
#include <string>
#include <string_view>

#include "report/utf8.hpp"

// Writes JSON without blanks. Text that is not UTF-8 is written as lone surrogates, the way Python
// has such file names (surrogateescape). `<`, `>`, `&` and the line separators are escaped: what is
// written may stand in a <script> element.
namespace malloc_tracer::report {

class JsonWriter {
 public:
  JsonWriter& begin(char bracket) {
    separate();
    out_ += bracket;
    is_first_ = true;
    return *this;
  }
  JsonWriter& end(char bracket) {
    out_ += bracket;
    is_first_ = false;
    return *this;
  }
  JsonWriter& key(std::string_view name) {
    text(name);
    out_ += ':';
    is_first_ = true;
    return *this;
  }
  template <std::integral Number>
  JsonWriter& number(Number number) {
    separate();
    char digits[24];
    out_.append(digits, std::to_chars(digits, digits + sizeof(digits), number).ptr);
    return *this;
  }
  JsonWriter& boolean(bool value) {
    separate();
    out_ += value ? "true" : "false";
    return *this;
  }
  JsonWriter& text(std::string_view text) {
    separate();
    out_ += '"';
    for (std::size_t at = 0; at < text.size();) {
      const Decoded next = decode(text.substr(at, 4));
      if (!next.valid) {
        for (std::size_t i = 0; i < next.size; ++i) escape(0xdc00U | byte_at(text, at + i));
      } else if (next.point == '"' || next.point == '\\') {
        out_ += '\\';
        out_ += text[at];
      } else if (next.point < 0x20 || next.point == '<' || next.point == '>' || next.point == '&' ||
                 next.point == 0x2028 || next.point == 0x2029) {
        escape(next.point);
      } else {
        out_.append(text, at, next.size);
      }
      at += next.size;
    }
    out_ += '"';
    return *this;
  }

  std::string take() { return std::move(out_); }

 private:
  void separate() {
    if (!is_first_) out_ += ',';
    is_first_ = false;
  }
  void escape(unsigned point) {
    out_ += "\\u";
    for (int shift = 12; shift >= 0; shift -= 4) out_ += "0123456789abcdef"[point >> shift & 0xf];
  }

  std::string out_;
  bool is_first_ = true;
};

}  // namespace malloc_tracer::report
