// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

// A strict reader of JSON of a known shape, straight from the text: no tree of values, so that
// memory is what the caller keeps. Every function takes the next value of its kind, or throws Error
// with the byte where the text is something else.
namespace malloc_tracer::report {

// Texts of an array, end to end: an array of short ones would take ten times its size as strings.
class TextList {
 public:
  std::size_t size() const { return ends_.size(); }
  std::string_view operator[](std::size_t index) const {
    const std::size_t begin = index == 0 ? 0 : ends_[index - 1];
    return std::string_view(characters_).substr(begin, ends_[index] - begin);
  }
  std::string& characters() { return characters_; }
  void end_one() { ends_.push_back(characters_.size()); }

 private:
  std::string characters_;
  std::vector<std::size_t> ends_;
};

class JsonCursor {
 public:
  struct Member {
    std::string_view name;
    std::function<void()> read;
    bool is_optional = false;
  };

  explicit JsonCursor(std::string_view text) : text_(text) {}

  // Calls `read` of each member as it comes. Members of other names are skipped; each of these must
  // be there, and once.
  void object(const std::vector<Member>& members);

  std::int64_t integer();
  bool boolean();
  std::string string();
  TextList strings();
  std::vector<std::int64_t> integers();
  void end();  // nothing but blanks may follow

  [[noreturn]] void fail(const std::string& what) const;

 private:
  char next();                   // the next character that is no blank, without taking it
  void need(std::size_t count);  // so many bytes must be left
  bool accept(char wanted);
  void expect(char wanted);
  void expect_word(std::string_view word);
  void append_string(std::string& out);
  std::uint32_t escaped();
  std::uint32_t hex4();
  void skip_value();
  void skip_scalar();

  std::string_view text_;
  std::size_t at_ = 0;
};

}  // namespace malloc_tracer::report
