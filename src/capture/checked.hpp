// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

#include "memory/page_map.hpp"

// The checked build (MALLOC_TRACER_CHECKED): every event's call path is compared with a walk from
// scratch, and every record that the page map gives with a plain hash table; a difference stops the
// process at once. Hook safe. In other builds nothing is left of it.
namespace malloc_tracer::capture {

// How much was compared; zero in other builds.
struct Checks {
  std::uint64_t paths, records;
};
extern constinit Checks checks;

#ifdef MALLOC_TRACER_CHECKED
// The record of `address` is `cell` from now on.
void note_record(std::uint64_t address, memory::PageMap::Cell cell) noexcept;
// The page map says that it is `cell`.
void check_record(std::uint64_t address, memory::PageMap::Cell cell) noexcept;
void forget_records() noexcept;
#else
inline void note_record(std::uint64_t, memory::PageMap::Cell) noexcept {}
inline void check_record(std::uint64_t, memory::PageMap::Cell) noexcept {}
inline void forget_records() noexcept {}
#endif

}  // namespace malloc_tracer::capture
