// SPDX-License-Identifier: MIT
#include "symbols/python_lines.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <memory>
#include <random>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

namespace malloc_tracer::symbols {
namespace {

using std::string_literals::operator""s;

// A code object as dump_location_tables.py wrote it: CPython's table, and CPython's answers.
struct Sample {
  std::string name;
  int first_line = 0;
  std::string table;
  std::vector<int> line_of_unit;
};

std::string from_hex(const std::string& hex) {
  std::string bytes;
  for (std::size_t i = 0; i < hex.size(); i += 2) {
    bytes += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
  }
  return bytes;
}

std::vector<Sample> read_samples(const std::string& file) {
  std::vector<Sample> samples;
  std::ifstream in(std::filesystem::path(__FILE__).parent_path() / file);
  for (std::string text; std::getline(in, text);) {
    std::istringstream fields(text);
    Sample sample;
    std::string hex;
    fields >> sample.name >> sample.first_line >> hex;
    sample.table = from_hex(hex);
    int line = 0, units = 0;
    for (char colon; fields >> line >> colon >> units;) {
      sample.line_of_unit.insert(sample.line_of_unit.end(), static_cast<std::size_t>(units), line);
    }
    samples.push_back(sample);
  }
  return samples;
}

// On the heap at its exact size, so that AddressSanitizer sees a read of one byte too many.
int line_in_exact_copy(std::string_view table, int first_line, int offset) {
  const auto copy = std::make_unique<char[]>(table.size());
  std::copy(table.begin(), table.end(), copy.get());
  return python_line({copy.get(), table.size()}, first_line, offset);
}

class RealTables : public testing::TestWithParam<const char*> {};

TEST_P(RealTables, GiveTheLinesThatCpythonGives) {
  const std::vector<Sample> samples = read_samples(GetParam());
  ASSERT_GT(samples.size(), 50U);
  for (const Sample& sample : samples) {
    ASSERT_FALSE(sample.line_of_unit.empty()) << sample.name;
    std::vector<std::uint32_t> offsets;
    for (std::size_t unit = 0; unit < sample.line_of_unit.size(); ++unit) {
      const auto offset = static_cast<int>(2 * unit);
      EXPECT_EQ(python_line(sample.table, sample.first_line, offset), sample.line_of_unit[unit])
          << sample.name << " at " << offset;
      offsets.push_back(static_cast<std::uint32_t>(offset));
    }
    std::vector<int> lines(offsets.size());
    python_lines(sample.table, sample.first_line, offsets, lines);
    EXPECT_EQ(lines, sample.line_of_unit) << sample.name;
    const auto end = static_cast<int>(2 * sample.line_of_unit.size());
    EXPECT_EQ(python_line(sample.table, sample.first_line, end), 0) << sample.name;
  }
}

TEST_P(RealTables, CutAnywhereGiveTheSameLinesOrNone) {
  for (const Sample& sample : read_samples(GetParam())) {
    if (sample.table.size() > 200) continue;
    for (std::size_t size = 0; size < sample.table.size(); ++size) {
      for (std::size_t unit = 0; unit < sample.line_of_unit.size(); unit += 3) {
        const int line = line_in_exact_copy(std::string_view(sample.table).substr(0, size),
                                            sample.first_line, static_cast<int>(2 * unit));
        EXPECT_TRUE(line == sample.line_of_unit[unit] || line == 0) << sample.name << ' ' << size;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Cpython, RealTables,
                         testing::Values("location_tables_311.txt", "location_tables_312.txt",
                                         "location_tables_313.txt", "location_tables_314.txt",
                                         "location_tables_315.txt"));

TEST(PythonLine, ReadsEachKindOfEntry) {
  const std::string table =
      "\x81\x11"                  // kind 0, 2 units: columns only
      "\xd0\x01\x02"              // kind 10, 1 unit: line + 0
      "\xd8\x01\x02"              // kind 11, 1 unit: line + 1
      "\xe0\x01\x02"              // kind 12, 1 unit: line + 2
      "\xe8\x07"                  // kind 13, 1 unit: line - 3
      "\xf1\x48\x06\x00\x01\x01"  // kind 14, 2 units: line + 196, end line, column, end column
      "\xf8"                      // kind 15, 1 unit: none
      "\x80\x11"s;                // kind 0, 1 unit: the line of before
  const std::vector<int> expected = {10, 10, 10, 11, 13, 10, 206, 206, 0, 206, 0};
  for (std::size_t unit = 0; unit < expected.size(); ++unit) {
    const auto offset = static_cast<int>(2 * unit);
    EXPECT_EQ(line_in_exact_copy(table, 10, offset), expected[unit]) << unit;
    EXPECT_EQ(line_in_exact_copy(table, 10, offset + 1), expected[unit]) << unit;
  }
}

TEST(PythonLine, IsZeroOutsideTheTable) {
  EXPECT_EQ(python_line("", 1, 0), 0);
  EXPECT_EQ(python_line("\x80\x11", 1, -2), 0);
  EXPECT_EQ(python_line("\x80\x11", 1, 2), 0);
}

TEST(PythonLine, IsZeroFromTheFirstMalformedEntryOn) {
  EXPECT_EQ(python_line("\x80\x11\x01\x11\x80\x11", 7, 0), 7);
  EXPECT_EQ(python_line("\x80\x11\x01\x11\x80\x11", 7, 2), 0) << "an entry without its mark";
  EXPECT_EQ(python_line("\x80\x80\x11", 7, 0), 0) << "a mark inside an entry";
  EXPECT_EQ(python_line("\xe8\x7f\x7f\x7f\x7f\x7f\x7f\x01", 7, 0), 0) << "a number of 42 bits";
  EXPECT_EQ(python_line("\xf0\x00\x7f\x7f\x7f\x7f\x7f\x7f\x01\x00\x00"s, 7, 0), 0) << "another";
  EXPECT_EQ(python_line("\xe8\x7f\x7f\x7f\x7f\x7f\x03", 7, 0), 0) << "a line below 0";
  EXPECT_EQ(python_line("\xe8\x7e\x7f\x7f\x7f\x7f\x03", 7, 0), 0) << "a line beyond int";
}

TEST(PythonLine, SurvivesRandomBytes) {
  std::mt19937 random(311);
  for (int round = 0; round < 20'000; ++round) {
    std::string table(random() % 24, '\0');
    for (char& byte : table) byte = static_cast<char>(random());
    if (!table.empty()) table[0] = static_cast<char>(table[0] | 0x80);
    EXPECT_GE(line_in_exact_copy(table, 1, static_cast<int>(random() % 64)), 0);
  }
}

}  // namespace
}  // namespace malloc_tracer::symbols
