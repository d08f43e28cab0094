// SPDX-License-Identifier: MIT
#ifdef MALLOC_TRACER_DANGERS
#include "native/run_program.hpp"

// The same addresses in two threads: the first is stopped in the middle of giving them back.
namespace {

std::string numbers(const char* name) {
  const std::string output = output_of("known_dangers", name);
  return output.substr(0, output.find(" peak"));
}

TEST(Dangers, ABlockIsForgottenBeforeItsAddressIsAnothers) {
  SKIP_IF_SANITIZED();
  EXPECT_EQ(numbers("block"), "malloc allocated 2/2097152 freed 1/1048576 live 1/1048576");
}

TEST(Dangers, AMappingIsForgottenBeforeItsAddressIsAnothers) {
  EXPECT_EQ(numbers("mapping"), "mmap allocated 2/2097152 freed 1/1048576 live 1/1048576");
}

}  // namespace
#endif
