// SPDX-License-Identifier: MIT
#include "native/run_program.hpp"

// Anonymous mappings by byte range: one block until the last byte is unmapped. A page is 4,096
// bytes.
namespace {

std::string numbers(const char* name) { return output_of("known_mappings", name); }

TEST(Mappings, CountAsAskedFor) {
  EXPECT_EQ(
      numbers("whole"),
      "mmap allocated 1/12288 freed 1/12288 live 0/0 peak 1/12288 temporary 1 reallocated 0\n");
  EXPECT_EQ(numbers("odd_size"),
            "mmap allocated 1/100 freed 1/100 live 0/0 peak 1/100 temporary 1 reallocated 0\n");
  EXPECT_EQ(numbers("kept"),
            "mmap allocated 1/8192 freed 0/0 live 1/8192 peak 1/8192 temporary 0 reallocated 0\n");
}

TEST(Mappings, OfFilesDoNotCount) { EXPECT_EQ(numbers("of_a_file"), ""); }

TEST(Mappings, PartlyUnmappedAreOneBlockStill) {
  EXPECT_EQ(
      numbers("cut_at_start"),
      "mmap allocated 1/16384 freed 0/4096 live 1/12288 peak 1/16384 temporary 0 reallocated 0\n");
  EXPECT_EQ(
      numbers("cut_at_end"),
      "mmap allocated 1/16384 freed 0/4096 live 1/12288 peak 1/16384 temporary 0 reallocated 0\n");
  EXPECT_EQ(
      numbers("cut_in_the_middle"),
      "mmap allocated 1/16384 freed 0/8192 live 1/8192 peak 1/16384 temporary 0 reallocated 0\n");
}

TEST(Mappings, EndWithTheirLastByte) {
  EXPECT_EQ(
      numbers("piece_by_piece"),
      "mmap allocated 1/16384 freed 1/16384 live 0/0 peak 1/16384 temporary 0 reallocated 0\n");
  EXPECT_EQ(
      numbers("trimmed"),
      "mmap allocated 1/65536 freed 1/65536 live 0/0 peak 1/65536 temporary 0 reallocated 0\n");
}

TEST(Mappings, ManyUnmappedByOneCall) {
  EXPECT_EQ(numbers("many_at_once"),
            "mmap allocated 41/1146880 freed 39/1138688 live 2/8192 peak 1/819200 temporary 1 "
            "reallocated 0\n");
}

TEST(Mappings, FixedOverAnotherReplacesIt) {
  EXPECT_EQ(
      numbers("fixed_over_another"),
      "mmap allocated 2/20480 freed 0/4096 live 2/16384 peak 1/16384 temporary 0 reallocated 0\n");
  EXPECT_EQ(
      numbers("file_over_another"),
      "mmap allocated 1/16384 freed 0/4096 live 1/12288 peak 1/16384 temporary 0 reallocated 0\n");
}

TEST(Mappings, FailedCallsAreNoEvents) {
  EXPECT_EQ(numbers("failing"),
            "mmap allocated 1/8192 freed 0/0 live 1/8192 peak 1/8192 temporary 0 reallocated 0\n");
}

TEST(Mappings, RemappedAsAWholeAreReallocated) {
  EXPECT_EQ(
      numbers("grow"),
      "mmap allocated 2/212992 freed 2/212992 live 0/0 peak 1/204800 temporary 1 reallocated 1\n");
  EXPECT_EQ(
      numbers("shrink"),
      "mmap allocated 2/57344 freed 1/40960 live 1/16384 peak 1/40960 temporary 0 reallocated 1\n");
  EXPECT_EQ(
      numbers("to_a_fixed_place"),
      "mmap allocated 3/45056 freed 1/20480 live 2/24576 peak 2/32768 temporary 0 reallocated 1\n");
}

TEST(Mappings, PartsRemappedBecomeBlocks) {
  EXPECT_EQ(
      numbers("shrink_a_part"),
      "mmap allocated 1/40960 freed 0/12288 live 1/28672 peak 1/40960 temporary 0 reallocated 0\n");
  EXPECT_EQ(numbers("move_a_part"),
            "mmap allocated 2/122880 freed 0/8192 live 2/114688 peak 2/114688 temporary 0 "
            "reallocated 0\n");
}

// So does MREMAP_DONTUNMAP: the old one is empty then, but there.
TEST(Mappings, OldSizeZeroDuplicates) {
  if (kEmulated) GTEST_SKIP() << "qemu-user's mremap refuses it";
  for (const char* function : {"duplicate", "moved_and_kept"}) {
    EXPECT_EQ(
        numbers(function),
        "mmap allocated 2/16384 freed 0/0 live 2/16384 peak 2/16384 temporary 0 reallocated 0\n");
  }
}

TEST(Mappings, FromBeforeTheScope) {
  EXPECT_EQ(numbers("unmap_from_before"), "");
  EXPECT_EQ(numbers("grow_file_from_before"), "");
  EXPECT_EQ(
      numbers("grow_from_before"),
      "mmap allocated 1/81920 freed 0/0 live 1/81920 peak 1/81920 temporary 0 reallocated 0\n");
}

TEST(Mappings, OfMoreThan4GiB) {
  EXPECT_EQ(numbers("over_4_gib"),
            "mmap allocated 1/5368709120 freed 0/5368705024 live 1/4096 peak 1/5368709120 "
            "temporary 0 reallocated 0\n");
}

TEST(Mappings, OfTheAllocatorItselfAreNotCountedBesideItsBlocks) {
  EXPECT_EQ(numbers("heap_arenas"),
            "malloc allocated 1/1048576 freed 1/1048576 live 0/0 peak 1/1048576 temporary 1 "
            "reallocated 0\n");
}

}  // namespace
