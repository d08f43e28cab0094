// SPDX-License-Identifier: MIT
#include "native/run_program.hpp"

// Libraries that come and go while a scope is open.
namespace {

std::string numbers(const char* name) { return output_of("known_modules", name); }

TEST(Modules, OpenedInAScopeAreSeenAndFoundByTheCallersRunpath) {
  SKIP_IF_SANITIZED();
  EXPECT_EQ(numbers("opened_in_scope"),
            "malloc allocated 1/1000 freed 1/1000 live 0/0 peak 1/1000 temporary 1 reallocated 0\n"
            "new allocated 1/4 freed 0/0 live 1/4 peak 0/0 temporary 0 reallocated 0\n");
}

TEST(Modules, OpenedBetweenScopesAreSeen) {
  SKIP_IF_SANITIZED();
  EXPECT_EQ(numbers("opened_before"),
            "malloc allocated 1/10 freed 0/0 live 1/10 peak 1/10 temporary 0 reallocated 0\n");
}

TEST(Modules, AtAnAddressOfOneThatIsGoneAreSeen) {
  SKIP_IF_SANITIZED();
  EXPECT_EQ(
      numbers("addresses_reused"),
      "malloc allocated 50/500 freed 0/0 live 50/500 peak 50/500 temporary 0 reallocated 0\n");
}

// The first looker missed modules that another thread was still loading at an address seen before.
TEST(Modules, OpenedByManyThreadsAreSeen) {
  SKIP_IF_SANITIZED();
  std::string output = numbers("opened_by_threads");
  EXPECT_EQ(output.substr(0, output.find(" peak")),
            "malloc allocated 203000/6472000 freed 203000/6472000 live 0/0");
}

TEST(Modules, CalledManyTimesCountOnce) {
  SKIP_IF_SANITIZED();
  EXPECT_EQ(numbers("many_calls_after"),
            "malloc allocated 2000/20000 freed 2000/20000 live 0/0 peak 1/10 temporary 2000 "
            "reallocated 0\n");
}

// The system does not let us write to what the loader reads: of the plugin, opened twice, the first
// block is not seen, and that is said; a scope that opens finds the plugin.
TEST(Modules, OpenedBehindOurBackAreCountedAsLost) {
  SKIP_IF_SANITIZED();
  std::string output = output_of("known_refusals", "loader_not_told");
  EXPECT_EQ(output.substr(0, output.find("lost libraries whose")),
            "malloc allocated 1/10 freed 0/0 live 1/10 peak 1/10 temporary 0 reallocated 0\n"
            "lost libraries loaded inside, whose calls may be missing (loader not told "
            "of the tracer): 2\n");
}

TEST(Modules, BoundBeforeTheLoaderKnewAreCountedAsLost) {
  SKIP_IF_SANITIZED();
  EXPECT_EQ(output_of("known_refusals", "bound_before"),
            "lost libraries loaded inside, whose calls may be missing (loader not told "
            "of the tracer): 1\n");
}

TEST(Modules, WhoseSlotsCannotBeWrittenAreLostToEveryScope) {
  SKIP_IF_SANITIZED();
  EXPECT_EQ(output_of("known_refusals", "slots_refused"), "1 more\n");
}

TEST(Modules, NotFoundIsNoEvent) {
  SKIP_IF_SANITIZED();
  EXPECT_EQ(numbers("nothing_found"), "");
}

TEST(Modules, ConstructorsAreSeen) {
  SKIP_IF_SANITIZED();
  EXPECT_EQ(numbers("with_constructors"),
            "malloc allocated 2/200 freed 2/200 live 0/0 peak 1/100 temporary 0 reallocated 0\n"
            "new allocated 2/8 freed 2/8 live 0/0 peak 1/4 temporary 0 reallocated 0\n");
}

TEST(Modules, FunctionsFoundByNameAreSeen) {
  SKIP_IF_SANITIZED();
  EXPECT_EQ(numbers("found_by_name"),
            "malloc allocated 1/12 freed 1/12 live 0/0 peak 1/12 temporary 1 reallocated 0\n");
}

TEST(Modules, BoundToWhatTheyNeedAreSeen) {
  SKIP_IF_SANITIZED();
  EXPECT_EQ(
      numbers("bound_to_its_own"),
      "malloc allocated 1/1000 freed 1/1000 live 0/0 peak 1/1000 temporary 1 reallocated 0\n");
}

TEST(Modules, InAnotherNamespaceHaveAnAllocatorOfTheirOwn) {
  SKIP_IF_SANITIZED();
  EXPECT_EQ(numbers("another_namespace"), "");
}

TEST(Modules, WithAnAllocatorOfTheirOwnKeepIt) {
  SKIP_IF_SANITIZED();
  EXPECT_EQ(numbers("own_allocator"), "");
}

}  // namespace
