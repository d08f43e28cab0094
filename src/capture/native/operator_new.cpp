// SPDX-License-Identifier: MIT
#include "capture/native/operator_new.hpp"

namespace malloc_tracer::capture::native {

namespace {

class Inside {
 public:
  explicit Inside(Thread& thread) noexcept : thread_(thread) { thread_.inside++; }
  ~Inside() { thread_.inside--; }
  Inside(const Inside&) = delete;
  Inside& operator=(const Inside&) = delete;

 private:
  Thread& thread_;
};

}  // namespace

void* call_inside(Thread& thread, void* (*function)(std::size_t), std::size_t bytes) {
  Inside inside(thread);
  return function(bytes);
}

void* call_inside(Thread& thread, void* (*function)(std::size_t, const std::nothrow_t&),
                  std::size_t bytes, const std::nothrow_t& nothrow) {
  Inside inside(thread);
  return function(bytes, nothrow);
}

void* call_inside(Thread& thread, void* (*function)(std::size_t, std::align_val_t),
                  std::size_t bytes, std::align_val_t alignment) {
  Inside inside(thread);
  return function(bytes, alignment);
}

void* call_inside(Thread& thread,
                  void* (*function)(std::size_t, std::align_val_t, const std::nothrow_t&),
                  std::size_t bytes, std::align_val_t alignment, const std::nothrow_t& nothrow) {
  Inside inside(thread);
  return function(bytes, alignment, nothrow);
}

}  // namespace malloc_tracer::capture::native
