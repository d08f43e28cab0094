// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

// All that the engine needs from the operating system; linux/ implements it. Everything but the
// registrations at the end may run inside malloc: no allocation, no lock, errno preserved.
namespace malloc_tracer::platform {

// Zeroed address space that costs memory only where it is touched, in small pages; nullptr if there
// is none.
void* reserve(std::size_t bytes) noexcept;
// True if so much address space is left: it may be limited (ulimit -v).
bool has_room(std::size_t bytes) noexcept;
void release(void* start, std::size_t bytes) noexcept;
// The pages read as zero again and their memory goes back.
void forget(void* start, std::size_t bytes) noexcept;
// Large pages from here on: fewer page faults where most of the range gets used.
void prefer_large_pages(void* start, std::size_t bytes) noexcept;

std::uint64_t thread_id() noexcept;
void thread_name(char (&name)[16]) noexcept;
std::int64_t monotonic_ns() noexcept;
void yield() noexcept;

// A full memory barrier on every running thread of the process (the expensive half of an asymmetric
// fence); false if the system has none.
bool barrier_all_threads() noexcept;

// `child` runs in the forked child.
void at_fork(void (*child)()) noexcept;

// `gone(cookie)` runs when the calling thread ends, as late as the system allows.
void at_thread_exit(void (*gone)(void*), void* cookie) noexcept;

// -- Loaded modules: programs and shared libraries with their slots, the pointers through which
// they call each other.

struct Module {
  std::uintptr_t base;  // with `dynamic`, tells modules apart while they are loaded
  const void* dynamic;
  std::uintptr_t begin, end;   // the address range it occupies
  std::uint64_t loaded_count;  // modules ever loaded into the process, and unloaded
  std::uint64_t unloaded_count;
  bool first;  // the main program
  // The system's tables of the module; only this layer looks into them.
  const void* symbols;
  const char* strings;
  const std::uint32_t* gnu_hash;
  const std::uint32_t* sysv_hash;
  const void* relocations[2];
  std::size_t relocation_counts[2];
  std::uintptr_t read_only_begin, read_only_end;
  bool dynamic_is_final;  // addresses in `dynamic` are absolute, and the loader reads them there

  bool contains(std::uintptr_t address) const noexcept { return address - begin < end - begin; }
};

// Visits the modules in the order in which names are looked up, with the loader's own lock held,
// until `visit` returns false. Left out: the dynamic loader and what the kernel maps. May be called
// within itself, by the same thread.
using ModuleVisitor = bool (*)(const Module& module, void* cookie);
void each_module(ModuleVisitor visit, void* cookie) noexcept;

struct ModuleCounts {
  std::uint64_t loaded, unloaded;
};
// 15 ns: cheap enough to ask often.
ModuleCounts module_counts() noexcept;

// The module is relocated and its read-only data are read-only: its slots are final and may be
// written.
bool is_loaded_fully(const Module& module) noexcept;

// The function that the module defines under the name, whatever its version; nullptr if it defines
// none.
void* find_function(const Module& module, const char* name) noexcept;

// From now on the loader takes `other` for what the module defines under the name where that was
// `function`, in all versions of the name; false if the system does not let us, or memory is short.
struct Redirection {
  const char* name;
  void* function;
  void* other;
};
bool redirect(const Module& module, std::span<const Redirection> redirections) noexcept;

// Calls `visit` for every pointer in the module that the loader filled with the address of a named
// symbol.
using SlotVisitor = void (*)(void** slot, const char* symbol, void* cookie);
void each_slot(const Module& module, SlotVisitor visit, void* cookie) noexcept;

// Stores into a slot of the module, read-only or not; false if the system does not let us.
bool write_slot(const Module& module, void** slot, void* value) noexcept;

// The memory at this address belongs to no file. Slow (reads the list of mappings).
bool is_anonymous(const void* address) noexcept;
std::size_t page_bytes() noexcept;

}  // namespace malloc_tracer::platform
