// SPDX-License-Identifier: MIT
// Every hooked heap function, called a known number of times.
#include <link.h>
#include <malloc.h>

#include <cerrno>
#include <cstdint>
#include <new>

#include "recorded.hpp"

namespace {

using recorded::require;

struct alignas(64) Wide {
  char bytes[192];
};

void* from_before;
void* volatile keep;

void nothing() {}

void each_function() {
  void* p[8];
  p[0] = std::malloc(1);
  p[1] = std::calloc(3, 7);
  p[2] = std::realloc(nullptr, 31);
  p[3] = reallocarray(nullptr, 5, 9);
  require(posix_memalign(&p[4], 64, 101) == 0, "posix_memalign");
  p[5] = std::aligned_alloc(64, 128);
  p[6] = memalign(32, 33);
  p[7] = valloc(1000);
  for (void* block : p) std::free(block);
}

// Not every allocator has one; then the C library's stays, and free would not take its block.
void whole_pages() { keep = pvalloc(5000); }

// Some allocators place blocks of up to 8 bytes 8 bytes apart.
void small_neighbours() {
  void* p[100];
  for (void*& block : p) block = std::malloc(8);
  for (int i = 0; i < 50; i++) std::free(p[i]);
}

void copies_text() { std::free(strdup("seventeen letters")); }

// What it needs in between is the C library's affair.
void prints_text() {
  char* text = nullptr;
  require(asprintf(&text, "%d", 12345) == 5, "asprintf");
}

// Longer than half of what asprintf begins with: it cuts the block to size.
void prints_long_text() {
  char* text = nullptr;
  require(asprintf(&text, "%060d", 12345) == 60, "asprintf");
}

FILE* file;

void reads_line() {
  char* line = nullptr;
  std::size_t capacity = 0;
  require(getline(&line, &capacity, file) == 7 && capacity == 120, "getline");
  std::free(line);
}

void temporary() {
  std::free(std::malloc(10));
  void* p = std::malloc(20);
  void* q = std::malloc(30);
  std::free(p);
  std::free(q);
}

void zero_bytes() {
  std::malloc(0);
  std::calloc(0, 8);
  keep = ::operator new(0);
}

void null_frees() {
  std::free(nullptr);
  ::operator delete(nullptr);
  delete[] static_cast<char*>(nullptr);
}

void failing() {
  volatile std::size_t huge = SIZE_MAX / 2 - 100;
  errno = 0;
  require(std::malloc(huge) == nullptr && errno == ENOMEM, "malloc sets errno");
  require(std::calloc(huge, 16) == nullptr, "calloc overflow");
  require(reallocarray(nullptr, huge, 16) == nullptr, "reallocarray overflow");
  void* p = nullptr;
  require(posix_memalign(&p, 3, 10) == EINVAL && p == nullptr, "posix_memalign");
  void* kept = std::malloc(40);
  require(std::realloc(kept, huge) == nullptr, "realloc");
  std::free(kept);
}

void keeps_errno() {
  errno = 77;
  void* p = std::malloc(10);
  p = std::realloc(p, 20);
  std::free(p);
  delete new int;
  require(errno == 77, "errno");
}

void realloc_grows() {
  void* p = std::malloc(100);
  p = std::realloc(p, 150);
  p = std::realloc(p, 50);
  std::free(p);
}

void realloc_to_nothing() {
  void* p = std::malloc(100);
  require(std::realloc(p, 0) == nullptr, "realloc(p, 0) frees");
}

void realloc_from_before() {
  from_before = std::realloc(from_before, 300);
  std::free(from_before);
}

void realloc_of_array() {
  void* p = reallocarray(nullptr, 10, 10);
  p = reallocarray(p, 10, 20);
  std::free(p);
}

void free_from_before() { std::free(from_before); }

// 8 forms of new and the 12 of delete; sizes tell them apart.
void each_new() {
  std::align_val_t wide{64};
  ::operator delete(::operator new(1));
  ::operator delete (::operator new(2), std::size_t{2});
  ::operator delete(::operator new(4, std::nothrow), std::nothrow);
  ::operator delete(::operator new(8, wide), wide);
  ::operator delete (::operator new(16, wide), std::size_t{16}, wide);
  ::operator delete(::operator new(32, wide, std::nothrow), wide, std::nothrow);
  ::operator delete[](::operator new[](1));
  ::operator delete[](::operator new[](2), std::size_t{2});
  ::operator delete[](::operator new[](4, std::nothrow), std::nothrow);
  ::operator delete[](::operator new[](8, wide), wide);
  ::operator delete[](::operator new[](16, wide), std::size_t{16}, wide);
  ::operator delete[](::operator new[](32, wide, std::nothrow), wide, std::nothrow);
}

void new_expressions() {
  delete new int;
  delete[] new int[10];
  delete new Wide;
}

void bad_alloc() {
  volatile std::size_t huge = SIZE_MAX / 2 - 100;
  for (int i = 0; i < 3; i++) {
    try {
      keep = ::operator new(huge);
      require(false, "new throws");
    } catch (const std::bad_alloc&) {
    }
  }
  require(::operator new(huge, std::nothrow) == nullptr, "nothrow new");
  // Had anything stayed set, these would not count.
  keep = ::operator new(5);
  keep = std::malloc(6);
}

void* reserve;

void new_handler() {
  reserve = std::malloc(70);
  std::set_new_handler([] {
    std::free(reserve);  // the classic: give back what was kept for this, and try again
    std::set_new_handler(nullptr);
  });
  volatile std::size_t huge = SIZE_MAX / 2 - 100;
  require(::operator new(huge, std::nothrow) == nullptr, "new");
}

// Where &malloc is the program's own PLT entry, the call through it counts once like any other.
void through_pointers() {
  void* (*volatile allocate)(std::size_t) = &std::malloc;
  void (*volatile release)(void*) = &std::free;
  release(allocate(11));
  release(allocate(12));
}

bool is_writable(std::uintptr_t address) {
  std::uintptr_t begin = 0, end = 0;
  char writable = 0, line[512];
  bool found = false;
  FILE* maps = std::fopen("/proc/self/maps", "r");
  while (!found && std::fgets(line, sizeof line, maps) != nullptr) {
    std::sscanf(line, "%lx-%lx %*c%c", &begin, &end, &writable);
    found = address >= begin && address < end;
  }
  std::fclose(maps);
  return found && writable == 'w';
}

// What the loader has made read-only after filling it in, slots among it.
int check_module(dl_phdr_info* info, std::size_t, void*) {
  for (int i = 0; i < info->dlpi_phnum; i++) {
    const auto& header = info->dlpi_phdr[i];
    std::uintptr_t begin = info->dlpi_addr + header.p_vaddr,
                   end = (begin + header.p_memsz) & ~std::uintptr_t{4095};
    if (header.p_type != PT_GNU_RELRO) continue;
    for (std::uintptr_t page = begin & ~std::uintptr_t{4095}; page < end; page += 4096) {
      if (is_writable(page)) std::printf("%s: %lx is writable\n", info->dlpi_name, page);
    }
  }
  return 0;
}

void new_below_malloc() {
  std::string text(100, 'x');  // libstdc++'s own call of operator new
  text.resize(300);
}

}  // namespace

int main(int count, char** arguments) {
  from_before = std::malloc(100);
  char line[] = "a line\n";
  file = fmemopen(line, 7, "r");
  setvbuf(file, nullptr, _IONBF, 0);
  if (count == 2 && std::strcmp(arguments[1], "read_only_slots") == 0) {
    recorded::start();
    return dl_iterate_phdr(check_module, nullptr);
  }
  return recorded::run(count, arguments,
                       {{"nothing", nothing},
                        {"each_function", each_function},
                        {"whole_pages", whole_pages},
                        {"small_neighbours", small_neighbours},
                        {"copies_text", copies_text},
                        {"prints_text", prints_text},
                        {"prints_long_text", prints_long_text},
                        {"reads_line", reads_line},
                        {"temporary", temporary},
                        {"zero_bytes", zero_bytes},
                        {"null_frees", null_frees},
                        {"failing", failing},
                        {"keeps_errno", keeps_errno},
                        {"realloc_grows", realloc_grows},
                        {"realloc_to_nothing", realloc_to_nothing},
                        {"realloc_from_before", realloc_from_before},
                        {"realloc_of_array", realloc_of_array},
                        {"free_from_before", free_from_before},
                        {"each_new", each_new},
                        {"new_expressions", new_expressions},
                        {"bad_alloc", bad_alloc},
                        {"new_handler", new_handler},
                        {"through_pointers", through_pointers},
                        {"new_below_malloc", new_below_malloc}});
}
