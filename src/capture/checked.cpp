// SPDX-License-Identifier: MIT
#include "capture/checked.hpp"

#include "capture/engine.hpp"
#include "memory/id_index.hpp"
#include "memory/reserved_array.hpp"
#include "memory/spin_lock.hpp"

namespace malloc_tracer::capture {

constinit Checks checks = {};

#ifdef MALLOC_TRACER_CHECKED

namespace {

using Cell = memory::PageMap::Cell;

struct Record {
  std::uint64_t address;
  Cell cell;
  std::uint32_t next;  // in the bucket; 0: none
};

constexpr std::uint32_t kBuckets = 1u << 20, kMostRecords = 1u << 27;
memory::SpinLock lock;
// Reserved with the first record: a process that is short of memory loads the engine as ever.
memory::ReservedArray<std::uint32_t> buckets;
memory::ReservedArray<Record> records;
bool (*may_write)() = nullptr;   // the main lane
std::uint32_t record_count = 0;  // records[0] is none; one stays for every address ever seen

Record* record_of(std::uint64_t address) noexcept {
  if (buckets.capacity() == 0 && !buckets.reserve(kBuckets, kBuckets)) return nullptr;
  if (records.capacity() == 0 && !records.reserve(kMostRecords, 1024)) return nullptr;
  std::uint32_t& bucket = buckets[memory::hash_pair(address, 0) % kBuckets];
  for (std::uint32_t i = bucket; i != 0; i = records[i].next) {
    if (records[i].address == address) return &records[i];
  }
  if (record_count + 1 == records.capacity()) return nullptr;
  records[++record_count] = Record{address, 0, bucket};
  bucket = record_count;
  return &records[record_count];
}

}  // namespace

void note_record(std::uint64_t address, Cell cell) noexcept {
  memory::SpinGuard guard(lock);
  if (Record* record = record_of(address)) record->cell = cell;
}

void check_record(std::uint64_t address, Cell cell) noexcept {
  memory::SpinGuard guard(lock);
  const Record* record = record_of(address);
  if (record == nullptr) return;
  auto valid = [](Cell c) { return c >= engine.generation ? c : 0; };
  checks.records++;
  if (valid(cell) != valid(record->cell)) __builtin_trap();
}

void forget_records() noexcept {
  memory::SpinGuard guard(lock);
  for (std::uint32_t i = 1; i <= record_count; i++) records[i].cell = 0;
}

void check_writer(const Lane& lane) noexcept {
  if (lane.main && engine.thread_count > 1 && may_write != nullptr && !may_write())
    __builtin_trap();
}

void check_writers(bool (*may_write_main)()) noexcept { may_write = may_write_main; }

#endif

}  // namespace malloc_tracer::capture
