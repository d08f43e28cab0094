// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <random>
#include <thread>

#include "memory/danger.hpp"

namespace malloc_tracer::capture::test {

// While it lives, every thread stops now and then at the dangers that it meets, so that others come
// in between; which and how long follows from the seed and from when the thread met its first. In
// builds without MALLOC_TRACER_DANGERS nothing.
class RandomDelays {
 public:
  explicit RandomDelays([[maybe_unused]] std::uint64_t seed) {
#ifdef MALLOC_TRACER_DANGERS
    seed_ = seed;
    threads_ = 0;
    memory::in_danger = stop_now_and_then;
#endif
  }
  ~RandomDelays() {
#ifdef MALLOC_TRACER_DANGERS
    memory::in_danger = nullptr;
#endif
  }
  RandomDelays(const RandomDelays&) = delete;
  RandomDelays& operator=(const RandomDelays&) = delete;

#ifdef MALLOC_TRACER_DANGERS
 private:
  static void stop_now_and_then(memory::Danger) {
    thread_local std::minstd_rand random{
        static_cast<std::uint_fast32_t>(seed_ * 1000 + ++threads_)};
    const auto chance = random();
    if (chance % 4096 == 0) {
      std::this_thread::sleep_for(std::chrono::microseconds(random() % 100));
    } else if (chance % 64 == 0) {
      std::this_thread::yield();
    }
  }
  inline static std::atomic<std::uint64_t> seed_{0}, threads_{0};
#endif
};

}  // namespace malloc_tracer::capture::test
