// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <utility>
#include <vector>

// Where a random program takes its decisions from: a seed, which never ends, or bytes that somebody
// else has thought of (a fuzzer), which do.
namespace malloc_tracer::capture::test {

class Choices {
 public:
  explicit Choices(std::uint64_t seed) : random_(seed) {}
  explicit Choices(std::vector<std::uint8_t> bytes) : bytes_(std::move(bytes)), endless_(false) {}

  // A number less than `limit`. Small ones take one byte, so that a fuzzer sees what each byte
  // does.
  std::uint64_t below(std::uint64_t limit) {
    if (endless_) return random_() % limit;
    std::uint64_t value = next();
    for (std::uint64_t reach = 256; reach < limit; reach <<= 8) value = value << 8 | next();
    return value % limit;
  }
  bool at_end() const { return !endless_ && at_ == bytes_.size(); }

 private:
  std::uint64_t next() { return at_end() ? 0 : bytes_[at_++]; }

  std::mt19937_64 random_;
  std::vector<std::uint8_t> bytes_;
  std::size_t at_ = 0;
  bool endless_ = true;
};

}  // namespace malloc_tracer::capture::test
