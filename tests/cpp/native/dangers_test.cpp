// SPDX-License-Identifier: MIT
#ifdef MALLOC_TRACER_DANGERS
#include "native/run_program.hpp"

// The same addresses in two threads: the first is stopped in the middle of giving them back.
namespace {

// Of one allocator: a sanitizer allocates, too, where a thread is made.
std::string numbers(const char* name, const char* allocator) {
  const std::string output = output_of("known_dangers", name);
  const std::size_t start = output.find(allocator);
  return start == std::string::npos ? output
                                    : output.substr(start, output.find(" peak", start) - start);
}

TEST(Dangers, ABlockIsForgottenBeforeItsAddressIsAnothers) {
  SKIP_IF_SANITIZED();
  EXPECT_EQ(numbers("block", "malloc"),
            "malloc allocated 2/2097152 freed 1/1048576 live 1/1048576");
}

TEST(Dangers, AMappingIsForgottenBeforeItsAddressIsAnothers) {
#ifdef __SANITIZE_THREAD__
  GTEST_SKIP()
      << "the sanitizer allocates, through hooks that it watches, in a thread that it does "
         "not know yet";
#endif
  EXPECT_EQ(numbers("mapping", "mmap"), "mmap allocated 2/2097152 freed 1/1048576 live 1/1048576");
}

}  // namespace
#endif
