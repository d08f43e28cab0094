// SPDX-License-Identifier: MIT
#include "report/pprof.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "report/golden.hpp"
#include "report/sample_traces.hpp"
#include "report/unzipped.hpp"

namespace malloc_tracer::report {
namespace {

std::uint64_t take_varint(std::string_view& bytes) {
  std::uint64_t value = 0;
  for (int shift = 0;; shift += 7) {
    const auto byte = static_cast<unsigned char>(bytes.at(0));
    bytes.remove_prefix(1);
    value |= std::uint64_t{byte & 0x7fU} << shift;
    if (byte < 0x80) return value;
  }
}

std::string number_text(std::uint64_t value) {
  return ' ' + std::to_string(static_cast<std::int64_t>(value));
}

// A message as text, "field: value", from the schema: a field of bytes is text, packed numbers, or
// a message again.
std::string shown(std::string_view bytes, const std::string& path) {
  static const std::set<std::string> kTexts = {"6"}, kPacked = {"2.1", "2.2"};
  std::string out;
  while (!bytes.empty()) {
    const std::uint64_t tag = take_varint(bytes);
    const std::string field = path + std::to_string(tag >> 3);
    const std::uint64_t value = take_varint(bytes);
    if ((tag & 7) == 0) {
      out += field + ':' + number_text(value) + '\n';
      continue;
    }
    EXPECT_EQ(tag & 7, 2U);
    std::string_view content = bytes.substr(0, value);
    bytes.remove_prefix(value);
    if (kTexts.contains(field)) {
      out += field + ": \"" + std::string(content) + "\"\n";
    } else if (kPacked.contains(field)) {
      out += field + ':';
      while (!content.empty()) out += number_text(take_varint(content));
      out += '\n';
    } else {
      out += shown(content, field + '.');
    }
  }
  return out;
}

TEST(Pprof, HasASampleForEachRow) {
  test::expect_golden("sample.pprof.txt", shown(test::unzipped(pprof(test::sample_trace())), ""));
}

TEST(Pprof, StringsOfHostileNamesAreValidText) {
  test::expect_golden("hostile.pprof.txt", shown(test::unzipped(pprof(test::hostile_trace())), ""));
}

TEST(Pprof, OfADifferenceHasBothTraces) {
  test::expect_golden("difference.pprof.txt", shown(test::unzipped(pprof(test::difference())), ""));
}

TEST(Pprof, OfNothingHasItsSampleTypes) {
  test::expect_golden("nothing.pprof.txt", shown(test::unzipped(pprof({})), ""));
}

}  // namespace
}  // namespace malloc_tracer::report
