// SPDX-License-Identifier: MIT
#include "native/run_program.hpp"

namespace {

// First the child's own scope, then the parent's, which the fork has not disturbed.
TEST(Switching, ExtraFunctionsAndForksFollowTheScope) {
  EXPECT_EQ(output_of("known_extra", ""),
            "malloc allocated 1/17 freed 0/0 live 1/17 peak 1/17 temporary 0 reallocated 0\n"
            "malloc allocated 2/11 freed 0/0 live 2/11 peak 2/11 temporary 0 reallocated 0\n");
}

}  // namespace
