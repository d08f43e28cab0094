// SPDX-License-Identifier: MIT
#pragma once

#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstddef>
#include <cstdio>

// Memory runs short: while it is set, the process may map only so many bytes more than it has now.
// Between set() and lift() a test must not allocate; sanitizers must not either.
namespace malloc_tracer::memory {

class AddressSpaceLimit {
 public:
  explicit AddressSpaceLimit(std::size_t more_bytes) : more_bytes_(more_bytes) {
    getrlimit(RLIMIT_AS, &before_);
  }
  ~AddressSpaceLimit() { lift(); }
  AddressSpaceLimit(const AddressSpaceLimit&) = delete;
  AddressSpaceLimit& operator=(const AddressSpaceLimit&) = delete;

  // False if the system does not enforce it (sanitizers own most of the address space).
  bool set() {
    const std::size_t used = used_bytes();
    if (used == 0) return false;
    const rlimit limit{used + more_bytes_, before_.rlim_max};
    if (setrlimit(RLIMIT_AS, &limit) != 0) return false;
    void* too_much = mmap(nullptr, more_bytes_ * 2, PROT_NONE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (too_much == MAP_FAILED) return true;
    munmap(too_much, more_bytes_ * 2);
    lift();
    return false;
  }
  void lift() { setrlimit(RLIMIT_AS, &before_); }

 private:
  static std::size_t used_bytes() {
    std::FILE* file = std::fopen("/proc/self/statm", "r");
    if (file == nullptr) return 0;
    std::size_t pages = 0;
    if (std::fscanf(file, "%zu", &pages) != 1) pages = 0;
    std::fclose(file);
    return pages * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  }

  std::size_t more_bytes_;
  rlimit before_{};
};

}  // namespace malloc_tracer::memory
