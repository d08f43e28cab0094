// SPDX-License-Identifier: MIT
// Mappings of known sizes. P is a page.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>

#include "recorded.hpp"

namespace {

using recorded::require;

constexpr std::size_t P = 4096;
char* from_before;
char* file_from_before;

char* map(std::size_t bytes, void* wanted = nullptr, int flags = 0) {
  void* p = mmap(wanted, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);
  require(p != MAP_FAILED, "mmap");
  return static_cast<char*>(p);
}

char* map_file(void* wanted = nullptr, int flags = 0) {
  int file = open("/proc/self/exe", O_RDONLY);
  void* p = mmap(wanted, P, PROT_READ, MAP_PRIVATE | flags, file, 0);
  require(p != MAP_FAILED, "mmap of a file");
  close(file);
  return static_cast<char*>(p);
}

void unmap(void* p, std::size_t bytes) { require(munmap(p, bytes) == 0, "munmap"); }

void whole() { unmap(map(3 * P), 3 * P); }
void odd_size() { unmap(map(100), 100); }
void kept() { map(2 * P); }
void of_a_file() { unmap(map_file(), P); }

void cut_at_start() {
  char* p = map(4 * P);
  unmap(p, P);
}
void cut_at_end() {
  char* p = map(4 * P);
  unmap(p + 3 * P, P);
}
void cut_in_the_middle() {
  char* p = map(4 * P);
  unmap(p + P, 2 * P);
}
void piece_by_piece() {
  char* p = map(4 * P);
  unmap(p + P, P);
  unmap(p, P);
  unmap(p + 3 * P, P);
  unmap(p + 2 * P, P);
}

// A range over 40 mappings with gaps between them, the first and the last cut in two.
void many_at_once() {
  char* room = map(200 * P);
  unmap(room, 200 * P);
  for (int i = 0; i < 40; i++) map(2 * P, room + 4 * i * P, MAP_FIXED);
  unmap(room + P, 39 * 4 * P);
}

void fixed_over_another() {
  char* p = map(4 * P);
  map(P, p + P, MAP_FIXED);
}
void file_over_another() {
  char* p = map(4 * P);
  map_file(p, MAP_FIXED);
}

void failing() {
  char* p = map(2 * P);
  errno = 0;
  require(munmap(p + 1, P) != 0 && errno == EINVAL, "munmap of no page");
  require(munmap(p, 0) != 0, "munmap of nothing");
  require(mmap(nullptr, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED,
          "mmap of nothing");
  require(mmap(nullptr, P, PROT_READ, MAP_PRIVATE, -1, 0) == MAP_FAILED, "mmap of no file");
  require(mremap(p, 2 * P, std::size_t{1} << 60, MREMAP_MAYMOVE) == MAP_FAILED, "mremap");
}

void remap(char* p, std::size_t before, std::size_t after, char** moved = nullptr) {
  void* q = mremap(p, before, after, MREMAP_MAYMOVE);
  require(q != MAP_FAILED, "mremap");
  if (moved != nullptr) *moved = static_cast<char*>(q);
}

void grow() {
  char* q = nullptr;
  remap(map(2 * P), 2 * P, 50 * P, &q);
  unmap(q, 50 * P);
}
void shrink() {
  char* p = map(10 * P);
  remap(p, 10 * P, 4 * P);
}
void shrink_a_part() {
  char* p = map(10 * P);
  remap(p, 5 * P, 2 * P);  // pages 2 to 4 go
}
void move_a_part() {
  char* p = map(10 * P);
  remap(p + 2 * P, 2 * P, 20 * P);
}
void to_a_fixed_place() {
  char* p = map(2 * P);
  char* q = map(6 * P);
  require(mremap(p, 2 * P, 3 * P, MREMAP_MAYMOVE | MREMAP_FIXED, q + P) == q + P, "mremap");
}
void duplicate() {
  void* p = mmap(nullptr, 2 * P, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  void* q = mremap(p, 0, 2 * P, MREMAP_MAYMOVE);
  require(q != MAP_FAILED && q != p, "mremap");
}
void moved_and_kept() {
  char* p = map(2 * P);
  void* q = mremap(p, 2 * P, 2 * P, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, nullptr);
  require(q != MAP_FAILED && q != p, "mremap");
}
void grow_from_before() { remap(from_before, 2 * P, 20 * P); }
void grow_file_from_before() { remap(file_from_before, P, P * 2); }
void unmap_from_before() { unmap(from_before, 2 * P); }

void over_4_gib() {
  constexpr std::size_t kBytes = std::size_t{5} << 30;
  char* p = map(kBytes, nullptr, MAP_NORESERVE);
  unmap(p, kBytes - P);
}

// The way of programs that want an aligned range: too much, then the ends away.
void trimmed() {
  char* p = map(16 * P);
  unmap(p, 3 * P);
  unmap(p + 11 * P, 5 * P);
  unmap(p + 3 * P, 8 * P);
}

void heap_arenas() {
  void* p = std::malloc(1 << 20);  // a mapping of the C library's
  std::free(p);
}

}  // namespace

int main(int count, char** arguments) {
  from_before = map(2 * P);
  file_from_before = map_file();
  return recorded::run(count, arguments,
                       {{"whole", whole},
                        {"odd_size", odd_size},
                        {"kept", kept},
                        {"of_a_file", of_a_file},
                        {"cut_at_start", cut_at_start},
                        {"cut_at_end", cut_at_end},
                        {"cut_in_the_middle", cut_in_the_middle},
                        {"piece_by_piece", piece_by_piece},
                        {"many_at_once", many_at_once},
                        {"fixed_over_another", fixed_over_another},
                        {"file_over_another", file_over_another},
                        {"failing", failing},
                        {"grow", grow},
                        {"shrink", shrink},
                        {"shrink_a_part", shrink_a_part},
                        {"move_a_part", move_a_part},
                        {"to_a_fixed_place", to_a_fixed_place},
                        {"duplicate", duplicate},
                        {"moved_and_kept", moved_and_kept},
                        {"grow_from_before", grow_from_before},
                        {"grow_file_from_before", grow_file_from_before},
                        {"unmap_from_before", unmap_from_before},
                        {"over_4_gib", over_4_gib},
                        {"trimmed", trimmed},
                        {"heap_arenas", heap_arenas}});
}
