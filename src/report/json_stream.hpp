// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <charconv>
#include <concepts>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

// Writes JSON without blanks, in the order of the calls; puts the commas. Text that is no UTF-8
// comes out as lone surrogates, one for each byte, the way Python has such names (surrogateescape).
namespace malloc_tracer::report {

class JsonStream {
 public:
  void reserve(std::size_t bytes) { out_.reserve(bytes); }
  std::string take() { return std::move(out_); }

  JsonStream& begin(char bracket) {
    separate();
    out_ += bracket;
    is_first_ = true;
    return *this;
  }
  JsonStream& end(char bracket) {
    out_ += bracket;
    is_first_ = false;
    return *this;
  }
  JsonStream& key(std::string_view name) {
    value(name);
    out_ += ':';
    is_first_ = true;
    return *this;
  }

  JsonStream& value(std::string_view text);
  JsonStream& value(const char* text) { return value(std::string_view(text)); }
  JsonStream& value(std::integral auto number) {
    separate();
    std::array<char, 24> digits;
    out_.append(digits.data(), std::to_chars(digits.begin(), digits.end(), number).ptr);
    return *this;
  }
  JsonStream& value(bool is_true) {
    separate();
    out_ += is_true ? "true" : "false";
    return *this;
  }

 private:
  void separate() {
    if (!is_first_) out_ += ',';
    is_first_ = false;
  }
  void escape(unsigned point);

  std::string out_;
  bool is_first_ = true;
};

}  // namespace malloc_tracer::report
