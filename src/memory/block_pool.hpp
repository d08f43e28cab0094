// SPDX-License-Identifier: MIT
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

#include "platform/prim.hpp"

namespace malloc_tracer::memory {

// Small zeroed blocks of any size from mapped chunks: power-of-two classes with free lists. For
// what lives inside the hook zone and has no fixed size (scope sets, copied names). Not thread
// safe; hook safe. Chunks stay for the process.
class BlockPool {
 public:
  // nullptr if memory is short.
  void* allocate(std::size_t bytes) noexcept {
    int kind = size_class(bytes);
    if (Free* head = free_[kind]) {
      free_[kind] = head->next;
      __builtin_memset(static_cast<void*>(head), 0, std::size_t{1} << kind);
      return head;
    }
    std::size_t size = std::size_t{1} << kind;
    if (size > kChunk / 4) return platform::reserve(size);
    if (size > left_ && !new_chunk()) return nullptr;
    void* block = next_;
    next_ += size;
    left_ -= size;
    return block;
  }
  void deallocate(void* block, std::size_t bytes) noexcept {
    if (block == nullptr) return;
    int kind = size_class(bytes);
    free_[kind] = new (block) Free{free_[kind]};
  }

 private:
  struct Free {
    Free* next;
    static void* operator new(std::size_t, void* where) noexcept { return where; }
  };
  static constexpr std::size_t kChunk = 1024 * 1024;

  static int size_class(std::size_t bytes) noexcept {
    return static_cast<int>(std::bit_width((bytes < 16 ? 16 : bytes) - 1));
  }
  bool new_chunk() noexcept {
    void* chunk = platform::reserve(kChunk);
    if (chunk == nullptr) return false;
    next_ = static_cast<char*>(chunk);
    left_ = kChunk;
    return true;
  }

  Free* free_[48] = {};
  char* next_ = nullptr;
  std::size_t left_ = 0;
};

}  // namespace malloc_tracer::memory
