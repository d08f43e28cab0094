// SPDX-License-Identifier: MIT
#include "native/run_program.hpp"

// Eight threads at once: counters are exact; peaks are within what threads have not yet handed on,
// so they are not compared.
namespace {

// Without the two words at `column`.
std::string without(std::string line, const char* column) {
  std::size_t begin = line.find(std::string(" ") + column);
  if (begin == std::string::npos) return line;
  std::size_t end = line.find_first_of(" \n", begin + 2 + std::string(column).size());
  return line.erase(begin, end - begin);
}

std::string numbers(const char* name) { return without(output_of("known_threads", name), "peak"); }

TEST(Threads, FreeEachOthersBlocks) {
  SKIP_IF_SANITIZED();
  std::string output = without(numbers("exchange"), "temporary");
  EXPECT_EQ(output,
            "malloc allocated 160000/8080000 freed 160000/8080000 live 0/0 reallocated 0\n");
}

TEST(Threads, Reallocate) {
  SKIP_IF_SANITIZED();
  EXPECT_EQ(
      numbers("reallocate"),
      "malloc allocated 8000/40040000 freed 8000/40040000 live 0/0 temporary 8 reallocated 7992\n");
}

TEST(Threads, MapAndUnmap) {
  SKIP_IF_SANITIZED();
  EXPECT_EQ(
      numbers("map"),
      "mmap allocated 4000/49152000 freed 4000/49152000 live 0/0 temporary 0 reallocated 0\n");
}

TEST(Threads, ThrowBadAlloc) {
  SKIP_IF_SANITIZED();
  EXPECT_EQ(numbers("exceptions"),
            "new allocated 800/3200 freed 800/3200 live 0/0 temporary 800 reallocated 0\n");
}

TEST(Threads, ABlockFreedElsewhereIsNotTemporary) {
  SKIP_IF_SANITIZED();
  EXPECT_EQ(numbers("freed_elsewhere"),
            "malloc allocated 50/3200 freed 50/3200 live 0/0 temporary 0 reallocated 0\n");
}

}  // namespace
