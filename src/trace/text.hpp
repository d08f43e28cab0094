// SPDX-License-Identifier: MIT
#pragma once

#include <compare>
#include <concepts>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace malloc_tracer::trace {

// An immutable string that many places share: a trace names the same function and file in every
// node, and a file of a trace must not grow in memory by naming a long string often. Reads as a
// std::string. Thread safe as a shared_ptr is.
class Text {
 public:
  Text() = default;
  Text(std::string text) {  // NOLINT(google-explicit-constructor): stands in for a std::string
    if (!text.empty()) text_ = std::make_shared<const std::string>(std::move(text));
  }
  Text(std::string_view text) : Text(std::string(text)) {}  // NOLINT(google-explicit-constructor)
  Text(const char* text) : Text(std::string(text)) {}       // NOLINT(google-explicit-constructor)

  const std::string& str() const {
    static const std::string empty;
    return text_ ? *text_ : empty;
  }
  operator const std::string&() const { return str(); }  // NOLINT(google-explicit-constructor)
  operator std::string_view() const { return str(); }    // NOLINT(google-explicit-constructor)

  friend bool operator==(const Text& a, const Text& b) {
    return a.text_ == b.text_ || a.str() == b.str();
  }
  template <class Other>
  requires std::convertible_to<const Other&, std::string_view>
  friend bool operator==(const Text& a, const Other& b) { return a.str() == std::string_view(b); }
  friend std::strong_ordering operator<=>(const Text& a, const Text& b) {
    return a.text_ == b.text_ ? std::strong_ordering::equal : a.str() <=> b.str();
  }

 private:
  std::shared_ptr<const std::string> text_;  // null: empty
};

}  // namespace malloc_tracer::trace
