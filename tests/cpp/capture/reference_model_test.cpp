// SPDX-License-Identifier: MIT
// Random programs: the engine against the reference model, all ten numbers of every node of every
// scope.
//
//   MALLOC_TRACER_FUZZ_SECONDS=600   goes on for so long (default: 20)
//   MALLOC_TRACER_FUZZ_SEED=1234     begins there (a failure names its seed; with SECONDS=0 that
//   one only)
#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <vector>

#include "capture/engine_test.hpp"
#include "capture/random_program.hpp"

namespace malloc_tracer::capture {
namespace {

using test::Choices;
using test::EngineTest;
using test::Program;
using test::RandomProgram;
using test::SeveralThreads;
using test::Tally;

std::uint64_t from_environment(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text != nullptr ? std::strtoull(text, nullptr, 10) : otherwise;
}

class ReferenceModelTest : public EngineTest {};

TEST_F(ReferenceModelTest, RandomProgramsHaveTheModelsNumbers) {
  SeveralThreads threads(4);
  using Clock = std::chrono::steady_clock;
  const auto end =
      Clock::now() + std::chrono::seconds(from_environment("MALLOC_TRACER_FUZZ_SECONDS", 20));
  std::uint64_t seed = from_environment("MALLOC_TRACER_FUZZ_SEED", 1);
  Tally tally;
  do {
    RandomProgram random(Choices(seed), threads.programs(), tally);
    ASSERT_TRUE(random.play(1500)) << "seed " << seed << ": " << random.why();
    expect_idle();
    ASSERT_FALSE(HasFailure()) << "seed " << seed << " left something over";
    seed++;
  } while (Clock::now() < end);
  std::cout << tally.steps << " steps, " << tally.checks << " checks of " << tally.rows << " rows, "
            << tally.reallocs << " reallocations, " << tally.temporaries << " temporaries; at most "
            << tally.most_scopes << " scopes and " << tally.most_windows << " windows; next seed "
            << seed << "\n";
}

}  // namespace
}  // namespace malloc_tracer::capture
