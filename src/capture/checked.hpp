// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

#include "capture/lane.hpp"
#include "memory/page_map.hpp"

// The checked build (MALLOC_TRACER_CHECKED): every event's call path is compared with a walk from
// scratch, every record that the page map gives with a plain hash table, and who writes the main
// lane must be one who may; a difference stops the process at once. Hook safe. In other builds
// nothing is left of it.
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
// The event at hand writes `lane`. Where there are several threads `may_write_main` is asked.
void check_writer(const Lane& lane) noexcept;
void check_writers(bool (*may_write_main)()) noexcept;
#else
inline void note_record(std::uint64_t, memory::PageMap::Cell) noexcept {}
inline void check_record(std::uint64_t, memory::PageMap::Cell) noexcept {}
inline void forget_records() noexcept {}
inline void check_writer(const Lane&) noexcept {}
inline void check_writers(bool (*)()) noexcept {}
#endif

}  // namespace malloc_tracer::capture
