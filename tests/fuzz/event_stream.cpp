// SPDX-License-Identifier: MIT
// Fuzz target: bytes become a program of allocations, frees, reallocations and scopes on several
// threads (tests/cpp/capture/random_program.hpp), and after every step all ten numbers of every
// node of every scope are the reference model's.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "capture/random_program.hpp"

namespace malloc_tracer::capture {
namespace {

using test::Choices;
using test::RandomProgram;
using test::SeveralThreads;
using test::Tally;

void fail(const char* what) {
  std::fprintf(stderr, "%s\n", what);
  std::abort();
}

void play(std::vector<std::uint8_t> bytes) {
  constexpr std::uint64_t kMostSteps = 2000;
  static const bool started = start_engine();
  if (!started) fail("the engine does not start");
  static auto* threads = new SeveralThreads(3);  // as long as the process
  static Tally tally;
  RandomProgram program(Choices(std::move(bytes)), threads->programs(), tally, true);
  if (!program.play(kMostSteps)) fail(program.why().c_str());
  if (engine.open_scopes != 0 || engine.account_top != 1 || engine.giant_count != 0 ||
      engine.window_top - kFirstWindow != engine.free_window_count)
    fail("the program left something over");
}

}  // namespace
}  // namespace malloc_tracer::capture

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  malloc_tracer::capture::play({data, data + size});
  return 0;
}
