// SPDX-License-Identifier: MIT
#include "report/json_cursor.hpp"

#include <algorithm>
#include <charconv>

#include "report/utf8.hpp"
#include "trace/error.hpp"

namespace malloc_tracer::report {
namespace {

constexpr std::size_t kMaxDepth = 64;  // of values that are skipped

bool is_blank(char c) { return c == ' ' || c == '\n' || c == '\t' || c == '\r'; }

std::string shown(char c) {
  if (c > ' ' && c < 0x7f) return std::string("'") + c + "'";
  return "byte " + std::to_string(static_cast<unsigned char>(c));
}

}  // namespace

void JsonCursor::fail(const std::string& what) const {
  throw Error("at byte " + std::to_string(at_) + ": " + what);
}

char JsonCursor::next() {
  while (at_ < text_.size() && is_blank(text_[at_])) ++at_;
  need(1);
  return text_[at_];
}

void JsonCursor::need(std::size_t count) {
  if (text_.size() - at_ >= count) return;
  at_ = text_.size();
  fail("the file ends in the middle: it was cut off; take it again from where it was written");
}

bool JsonCursor::accept(char wanted) {
  if (next() != wanted) return false;
  ++at_;
  return true;
}

void JsonCursor::expect(char wanted) {
  if (!accept(wanted)) fail("expected " + shown(wanted) + ", found " + shown(text_[at_]));
}

void JsonCursor::end() {
  while (at_ < text_.size() && is_blank(text_[at_])) ++at_;
  if (at_ != text_.size()) fail("the trace has ended, but the file goes on");
}

void JsonCursor::object(const std::vector<Member>& members) {
  std::vector<bool> is_seen(members.size());
  expect('{');
  bool goes_on = !accept('}');
  while (goes_on) {
    const std::string name = string();
    expect(':');
    const auto member = std::ranges::find(members, name, &Member::name);
    if (member == members.end()) {
      skip_value();
    } else {
      const auto index = static_cast<std::size_t>(member - members.begin());
      if (is_seen[index]) fail("'" + name + "' stands there twice");
      is_seen[index] = true;
      member->read();
    }
    goes_on = accept(',');
    if (!goes_on) expect('}');
  }
  for (std::size_t i = 0; i < members.size(); ++i) {
    if (!is_seen[i] && !members[i].is_optional) {
      fail("there is no '" + std::string(members[i].name) + "'");
    }
  }
}

std::int64_t JsonCursor::integer() {
  need(next() == '-' ? 2 : 1);
  const char* const begin = text_.data() + at_;
  const char* const end = text_.data() + text_.size();
  std::int64_t number = 0;
  const auto [after, error] = std::from_chars(begin, end, number);
  if (error == std::errc::result_out_of_range) fail("a number is too large");
  if (error != std::errc{}) fail("expected a whole number, found " + shown(*begin));
  const std::string_view digits(*begin == '-' ? begin + 1 : begin, after);
  if (digits.size() > 1 && digits.front() == '0') fail("a number begins with 0");
  if (after != end && (*after == '.' || *after == 'e' || *after == 'E')) {
    fail("expected a whole number");
  }
  at_ += static_cast<std::size_t>(after - begin);
  return number;
}

bool JsonCursor::boolean() {
  const bool value = next() == 't';
  expect_word(value ? "true" : "false");
  return value;
}

void JsonCursor::expect_word(std::string_view word) {
  for (const char c : word) {
    need(1);
    if (text_[at_] != c) fail("expected '" + std::string(word) + "'");
    ++at_;
  }
}

std::string JsonCursor::string() {
  std::string text;
  append_string(text);
  return text;
}

void JsonCursor::append_string(std::string& out) {
  expect('"');
  while (true) {
    const std::size_t begin = at_;
    while (at_ < text_.size()) {
      const auto byte = static_cast<unsigned char>(text_[at_]);
      if (byte < 0x20 || byte >= 0x80 || byte == '"' || byte == '\\') break;
      ++at_;
    }
    out.append(text_.substr(begin, at_ - begin));
    need(1);
    if (text_[at_] == '"') {
      ++at_;
      return;
    }
    if (text_[at_] == '\\') {
      ++at_;
      const std::uint32_t point = escaped();
      if (point >= 0xdc80 && point <= 0xdcff) {
        out += static_cast<char>(point & 0xff);  // a byte that was no UTF-8
      } else {
        append_utf8(out, point);
      }
      continue;
    }
    const Decoded character = decode_utf8(text_.substr(at_));
    if (!character.valid || character.point < 0x20) {
      if (character.size == text_.size() - at_) need(4);  // the character may have been cut
      fail("a string holds " + shown(text_[at_]) + ", which JSON does not allow");
    }
    out.append(text_.substr(at_, character.size));
    at_ += character.size;
  }
}

std::uint32_t JsonCursor::escaped() {
  need(1);
  const char letter = text_[at_++];
  constexpr std::string_view kLetters = "\"\\/bfnrt", kMeanings = "\"\\/\b\f\n\r\t";
  const std::size_t index = kLetters.find(letter);
  if (index != kLetters.npos) return static_cast<unsigned char>(kMeanings[index]);
  if (letter != 'u') fail("a string holds an unknown escape");
  const std::uint32_t point = hex4();
  if (point < 0xd800 || point > 0xdfff || (point >= 0xdc80 && point <= 0xdcff)) return point;
  if (point <= 0xdbff) need(6);
  if (point <= 0xdbff && text_.substr(at_).starts_with("\\u")) {
    at_ += 2;
    const std::uint32_t low = hex4();
    if (low >= 0xdc00 && low <= 0xdfff) {
      return 0x10000 + ((point - 0xd800) << 10) + (low - 0xdc00);
    }
  }
  fail("a string holds half a character (a lone surrogate)");
}

std::uint32_t JsonCursor::hex4() {
  need(4);
  std::uint32_t value = 0;
  const char* const digits = text_.data() + at_;
  const auto [after, error] = std::from_chars(digits, digits + 4, value, 16);
  if (error != std::errc{} || after != digits + 4) {
    fail("a string holds \\u without its four digits");
  }
  at_ += 4;
  return value;
}

TextList JsonCursor::strings() {
  TextList list;
  expect('[');
  if (accept(']')) return list;
  do {
    append_string(list.characters());
    list.end_one();
  } while (accept(','));
  expect(']');
  return list;
}

std::vector<std::int64_t> JsonCursor::integers() {
  std::vector<std::int64_t> numbers;
  expect('[');
  if (accept(']')) return numbers;
  const auto begin = text_.begin() + static_cast<std::ptrdiff_t>(at_);
  const auto end = std::find(begin, text_.end(), ']');
  numbers.reserve(static_cast<std::size_t>(std::count(begin, end, ',')) + 1);
  do {
    numbers.push_back(integer());
  } while (accept(','));
  expect(']');
  return numbers;
}

// Without recursion: what is open stands in a string.
void JsonCursor::skip_value() {
  std::string open;
  do {
    const char c = next();
    if (c == '{' || c == '[') {
      if (open.size() == kMaxDepth) fail("values are nested more than 64 deep");
      open += c == '{' ? '}' : ']';
      ++at_;
      if (accept(open.back())) {
        open.pop_back();
      } else {
        if (open.back() == '}') string(), expect(':');
        continue;  // its first value
      }
    } else {
      skip_scalar();
    }
    while (!open.empty() && accept(open.back())) open.pop_back();
    if (open.empty()) return;
    expect(',');
    if (open.back() == '}') string(), expect(':');
  } while (true);
}

void JsonCursor::skip_scalar() {
  const char c = next();
  if (c == '"') {
    string();
  } else if (c == 't' || c == 'f') {
    boolean();
  } else if (c == 'n') {
    expect_word("null");
  } else {
    constexpr std::string_view kOfNumbers = "+-.eE0123456789";
    const std::size_t begin = at_;
    while (at_ < text_.size() && kOfNumbers.find(text_[at_]) != kOfNumbers.npos) ++at_;
    if (at_ == begin) fail("expected a value, found " + shown(c));
  }
}

}  // namespace malloc_tracer::report
