// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

#include "capture/account.hpp"
#include "memory/relaxed.hpp"
#include "memory/reserved_array.hpp"

// A lane is a set of accounts with one writer at a time. The *main* lane belongs to whoever holds
// the main interpreter's GIL, and to the only thread of a process that has just one; its peaks are
// exact. Every other thread writes its own lane without any lock, and hands its sum on when it has
// moved by its credit: counters stay exact, the peak is right within that. The credit starts small,
// so that small programs are nearly exact, and doubles up to kMostCredit, so that stopping the
// world stays rare.
//
// A *run* is the window whose events come now. All its scopes share one `room`, so that k nested
// scopes cost what one costs:
//   allocation: room -= n; free: room += n; room < 0 is a new maximum (main lane) or the moment to
//   hand on (other lanes).
namespace malloc_tracer::capture {

struct Thread;

struct alignas(64) Run {
  memory::Relaxed<WindowId> match =
      kNoRun;  // window whose events take the short way; kNoRun sends all to the long way
  WindowId window = kNoRun;  // window of the run
  std::int64_t room = 0;     // bytes until the next new maximum
  std::int64_t max = 0;      // the run's maximum, in bytes above its start
  std::int64_t threshold =
      0;  // `max` at which one more scope has its peak here; -1: not the main lane
  std::int64_t ceiling = 0;      // `room` at which a lane hands on what it freed
  std::uint64_t rest_epoch = 0;  // latest peak of the scopes that have had none in this run
  std::uint64_t all_epoch = 0;   // latest peak of all scopes of the window
  bool single = false;  // the window has one scope: its live values are saved in the account itself
};

struct Pending {
  WindowId window;
  std::int64_t delta;
};

struct alignas(64) Lane {
  static constexpr std::int64_t kFirstCredit = 64, kMostCredit = 64 * 1024;
  static constexpr int kPending = 16,
                       kPendingWanted =
                           8;  // an event adds few; handed on at its end from kPendingWanted on

  Run run;
  Account* accounts = nullptr;  // by account id
  AccountDetail* details = nullptr;
  std::uint64_t* sizes = nullptr;  // SizeCounts of the run's window
  Thread* owner = nullptr;         // nullptr: the main lane, or a lane waiting for a thread
  Pending pending[kPending] = {};  // bytes not yet handed on, by window
  int pending_count = 0;
  std::int64_t credit = kFirstCredit;
  bool overdue = false;  // to be handed on at the end of the event
  bool main = false;
  memory::ReservedArray<Account> account_pages;
  memory::ReservedArray<AccountDetail> detail_pages;
  memory::ReservedArray<SizeCounts> size_pages;  // by window id
};

}  // namespace malloc_tracer::capture
