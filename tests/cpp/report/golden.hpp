// SPDX-License-Identifier: MIT
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

namespace malloc_tracer::test {

// Compares `actual` with tests/golden/<name>, byte for byte. With UPDATE_GOLDEN=1 in the
// environment the file is written instead: read the difference before you commit it.
inline void expect_golden(const std::string& name, const std::string& actual) {
  const auto path = std::filesystem::path(__FILE__).parent_path() / "../../golden" / name;
  const char* update = std::getenv("UPDATE_GOLDEN");
  if (update != nullptr && std::string(update) == "1") {
    std::ofstream(path, std::ios::binary) << actual;
    return;
  }
  std::ifstream in(path, std::ios::binary);
  ASSERT_TRUE(in) << "no " << path << ": run once with UPDATE_GOLDEN=1";
  const std::string expected{std::istreambuf_iterator<char>(in), {}};
  EXPECT_EQ(actual, expected) << name;
}

}  // namespace malloc_tracer::test
