// SPDX-License-Identifier: MIT
// What runs a fuzz target where there is no libFuzzer: random inputs for some seconds, or the
// inputs in the files that are named. Takes libFuzzer's own options, as far as the tests use them.
//
//   event_stream_fuzz [-max_total_time=SECONDS] [-seed=N] [FILE]...
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <random>
#include <string_view>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

bool takes(std::string_view argument, std::string_view name, std::uint64_t& value) {
  if (!argument.starts_with(name)) return false;
  value = std::strtoull(argument.data() + name.size(), nullptr, 10);
  return true;
}

void run_file(const char* path) {
  std::ifstream file(path, std::ios::binary);
  const std::vector<char> text{std::istreambuf_iterator<char>(file), {}};
  const std::vector<std::uint8_t> bytes(text.begin(), text.end());
  LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
}

// An input of its own for each seed, printed before it runs: the last one is the one that failed.
void run_random(std::uint64_t seed) {
  constexpr std::size_t kMost = 4096;
  std::mt19937_64 random(seed);
  std::vector<std::uint8_t> bytes(random() % kMost);
  for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(random());
  std::printf("seed %llu, %zu bytes\r", static_cast<unsigned long long>(seed), bytes.size());
  std::fflush(stdout);
  LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
}

}  // namespace

int main(int count, char** arguments) {
  std::uint64_t seconds = 0, seed = 1;
  bool files = false;
  for (int i = 1; i < count; i++) {
    if (takes(arguments[i], "-max_total_time=", seconds) || takes(arguments[i], "-seed=", seed))
      continue;
    run_file(arguments[i]);
    files = true;
  }
  if (files) return 0;
  using Clock = std::chrono::steady_clock;
  const auto end = Clock::now() + std::chrono::seconds(seconds);
  do run_random(seed++);
  while (Clock::now() < end);
  std::printf("\nnext seed %llu\n", static_cast<unsigned long long>(seed));
}
