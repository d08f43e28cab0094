// SPDX-License-Identifier: MIT
#include <filesystem>

#include "native/run_program.hpp"

// Every heap function a known number of times: exact numbers, however the program is linked and
// whatever its allocator.
namespace {

struct Linked {
  const char* name;
  const char* program;
  const char* preload;
};

class HeapFunctions : public testing::TestWithParam<Linked> {
 protected:
  void SetUp() override {
    std::string preload = GetParam().preload;
    if (!preload.empty()) SKIP_IF_SANITIZED();
    if (!preload.empty() && !std::filesystem::exists(preload))
      GTEST_SKIP() << preload << " is not installed";
  }
  static std::string numbers(const char* name) {
    return output_of(GetParam().program, name, GetParam().preload);
  }
  static bool has_allocator(const char* name) { return std::string(GetParam().name) == name; }
};

TEST_P(HeapFunctions, EmptyScopeHasNoEvents) { EXPECT_EQ(numbers("nothing"), ""); }

TEST_P(HeapFunctions, EveryFunctionIsOneEventOfTheSizeAskedFor) {
  EXPECT_EQ(
      numbers("each_function"),
      "malloc allocated 8/1360 freed 8/1360 live 0/0 peak 8/1360 temporary 0 reallocated 0\n");
}

TEST_P(HeapFunctions, PvallocCountsAsAskedFor) {
  EXPECT_EQ(
      numbers("whole_pages"),
      "malloc allocated 1/5000 freed 0/0 live 1/5000 peak 1/5000 temporary 0 reallocated 0\n");
}

TEST_P(HeapFunctions, CLibraryFunctionsAreSeenThroughItsOwnSlots) {
  SKIP_IF_SANITIZED();
  EXPECT_EQ(numbers("copies_text"),
            "malloc allocated 1/18 freed 1/18 live 0/0 peak 1/18 temporary 1 reallocated 0\n");
  EXPECT_EQ(numbers("reads_line"),
            "malloc allocated 1/120 freed 1/120 live 0/0 peak 1/120 temporary 1 reallocated 0\n");
  EXPECT_NE(numbers("prints_text").find(" live 1/6 "), std::string::npos);
  // Its slot of realloc was not bound before: the block stayed 100 bytes large.
  EXPECT_NE(numbers("prints_long_text").find(" live 1/61 "), std::string::npos);
}

TEST_P(HeapFunctions, TemporaryIsFreedByTheNextEvent) {
  EXPECT_EQ(numbers("temporary"),
            "malloc allocated 3/60 freed 3/60 live 0/0 peak 2/50 temporary 1 reallocated 0\n");
}

TEST_P(HeapFunctions, NothingIsABlockOfZeroBytes) {
  EXPECT_EQ(numbers("zero_bytes"),
            "malloc allocated 2/0 freed 0/0 live 2/0 peak 0/0 temporary 0 reallocated 0\n"
            "new allocated 1/0 freed 0/0 live 1/0 peak 0/0 temporary 0 reallocated 0\n");
}

TEST_P(HeapFunctions, FreeingNullIsNoEvent) { EXPECT_EQ(numbers("null_frees"), ""); }

TEST_P(HeapFunctions, FailedCallsAreNoEvents) {
  SKIP_IF_SANITIZED();
  EXPECT_EQ(numbers("failing"),
            "malloc allocated 1/40 freed 1/40 live 0/0 peak 1/40 temporary 1 reallocated 0\n");
}

TEST_P(HeapFunctions, ErrnoIsTheProgramsOwn) {
  EXPECT_EQ(numbers("keeps_errno"),
            "malloc allocated 2/30 freed 2/30 live 0/0 peak 1/20 temporary 1 reallocated 1\n"
            "new allocated 1/4 freed 1/4 live 0/0 peak 0/0 temporary 1 reallocated 0\n");
}

TEST_P(HeapFunctions, ReallocIsOneStep) {
  EXPECT_EQ(numbers("realloc_grows"),
            "malloc allocated 3/300 freed 3/300 live 0/0 peak 1/150 temporary 1 reallocated 2\n");
  EXPECT_EQ(numbers("realloc_of_array"),
            "malloc allocated 2/300 freed 2/300 live 0/0 peak 1/200 temporary 1 reallocated 1\n");
}

TEST_P(HeapFunctions, ReallocToNothingIsAFree) {
  if (has_allocator("mimalloc")) GTEST_SKIP() << "its realloc(p, 0) gives a block";
  EXPECT_EQ(numbers("realloc_to_nothing"),
            "malloc allocated 1/100 freed 1/100 live 0/0 peak 1/100 temporary 1 reallocated 0\n");
}

TEST_P(HeapFunctions, BlockFromBeforeTheScope) {
  EXPECT_EQ(numbers("free_from_before"), "");
  EXPECT_EQ(numbers("realloc_from_before"),
            "malloc allocated 1/300 freed 1/300 live 0/0 peak 1/300 temporary 1 reallocated 0\n");
}

TEST_P(HeapFunctions, EveryFormOfNewAndDeleteCountsOnce) {
  EXPECT_EQ(numbers("each_new"),
            "new allocated 12/126 freed 12/126 live 0/0 peak 1/32 temporary 12 reallocated 0\n");
  EXPECT_EQ(numbers("new_expressions"),
            "new allocated 3/236 freed 3/236 live 0/0 peak 1/192 temporary 3 reallocated 0\n");
  EXPECT_EQ(numbers("new_below_malloc"),
            "new allocated 2/402 freed 2/402 live 0/0 peak 2/402 temporary 0 reallocated 0\n");
}

TEST_P(HeapFunctions, BadAllocPassesAndLeavesNothingBehind) {
  SKIP_IF_SANITIZED();
  if (has_allocator("mimalloc")) GTEST_SKIP() << "its operator new aborts";
  EXPECT_EQ(numbers("bad_alloc"),
            "malloc allocated 1/6 freed 0/0 live 1/6 peak 1/6 temporary 0 reallocated 0\n"
            "new allocated 1/5 freed 0/0 live 1/5 peak 1/5 temporary 0 reallocated 0\n");
}

TEST_P(HeapFunctions, NewHandlersFreesCount) {
  SKIP_IF_SANITIZED();
  if (has_allocator("mimalloc")) GTEST_SKIP() << "its operator new calls no handler";
  EXPECT_EQ(numbers("new_handler"),
            "malloc allocated 1/70 freed 1/70 live 0/0 peak 1/70 temporary 1 reallocated 0\n");
}

// In a fixed program &malloc is the program's own PLT entry: looking it up by its address would
// call our hook for ever.
TEST_P(HeapFunctions, CallsThroughPointersCountOnce) {
  EXPECT_EQ(numbers("through_pointers"),
            "malloc allocated 2/23 freed 2/23 live 0/0 peak 1/12 temporary 2 reallocated 0\n");
}

TEST_P(HeapFunctions, ReadOnlySlotsAreReadOnlyAgain) { EXPECT_EQ(numbers("read_only_slots"), ""); }

// jemalloc, tcmalloc and mimalloc place blocks of 8 bytes 8 bytes apart: two in one granule of the
// page map.
TEST_P(HeapFunctions, SmallestBlocksAreToldApart) {
  EXPECT_EQ(
      numbers("small_neighbours"),
      "malloc allocated 100/800 freed 50/400 live 50/400 peak 100/800 temporary 0 reallocated 0\n");
}

const Linked kLinked[] = {
    {"lazy", "known_calls", ""},
    {"bound_now", "known_calls_bound_now", ""},
    {"fixed", "known_calls_fixed", ""},
    {"jemalloc", "known_calls", MALLOC_TRACER_LIBRARIES "/libjemalloc.so.2"},
    {"tcmalloc", "known_calls", MALLOC_TRACER_LIBRARIES "/libtcmalloc_minimal.so.4"},
    {"mimalloc", "known_calls", MALLOC_TRACER_LIBRARIES "/libmimalloc.so.2"},
};

INSTANTIATE_TEST_SUITE_P(Linked, HeapFunctions, testing::ValuesIn(kLinked),
                         [](const auto& linked) { return std::string(linked.param.name); });

}  // namespace
