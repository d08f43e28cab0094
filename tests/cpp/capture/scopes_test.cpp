// SPDX-License-Identifier: MIT
// Who records what: scopes that nest, overlap, pause, end, start over; sessions; markers.
#include "capture/scopes.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "capture/engine_test.hpp"

namespace malloc_tracer::capture {
namespace {

using snapshot::Counters;
using snapshot::Snapshot;
using test::call;
using test::EngineTest;
using test::lost;
using test::ManualFrames;
using test::marker;
using test::Program;
using test::Stacks;
using test::stacks;
using test::threads;
using test::total;
using test::WaitingThread;

constexpr bool kAllThreads = true, kCurrentThread = false;

class ScopesTest : public EngineTest {
 protected:
  static std::uint64_t live(ScopeRef scope) { return total(snapshot_of(scope)).live_bytes; }
  static std::uint64_t allocated(ScopeRef scope) {
    return total(snapshot_of(scope)).allocated_bytes;
  }
  static std::uint64_t freed(ScopeRef scope) { return total(snapshot_of(scope)).freed_bytes; }
};

// -- active or not

TEST_F(ScopesTest, AScopeRecordsNothingBeforeItIsActive) {
  const ScopeRef scope = open();
  Program().alloc(1, 100);
  EXPECT_TRUE(snapshot_of(scope).rows.empty());
}

TEST_F(ScopesTest, ASuspendedScopeSeesOnlyFreesOfItsBlocks) {
  const ScopeRef scope = begin();
  Program program;
  program.alloc(1, 100).alloc(2, 50);
  suspend(scope, here(), false);
  program.alloc(3, 1000).free(3).free(1);
  EXPECT_EQ(total(snapshot_of(scope)), (Counters{.live_bytes = 50,
                                                 .live_count = 1,
                                                 .peak_bytes = 150,
                                                 .peak_count = 2,
                                                 .allocated_bytes = 150,
                                                 .allocated_count = 2,
                                                 .freed_bytes = 100,
                                                 .freed_count = 1}));
  activate(scope, here(), {});
  program.alloc(4, 101);  // 151 live
  EXPECT_EQ(total(snapshot_of(scope)).peak_bytes, 151u);
  EXPECT_EQ(total(snapshot_of(scope)).peak_count, 2u);
}

TEST_F(ScopesTest, ARecursiveScopeIsActiveUntilItsLastReturn) {
  const ScopeRef scope = begin();
  activate(scope, here(), {});
  Program program;
  suspend(scope, here(), true);
  program.alloc(1, 100);
  suspend(scope, here(), true);
  program.alloc(2, 1);
  EXPECT_EQ(allocated(scope), 100u);
}

TEST_F(ScopesTest, SuspendingWhatIsNotActiveHereChangesNothing) {
  WaitingThread other;
  const ScopeRef scope = begin();
  suspend(scope, other.block(), true);
  Program().alloc(1, 10);
  suspend(scope, here(), false);
  suspend(scope, here(), false);
  Program().alloc(2, 10);
  EXPECT_EQ(allocated(scope), 10u);
}

TEST_F(ScopesTest, APausedThreadRecordsFreesOnly) {
  const ScopeRef scope = begin();
  Program program;
  program.alloc(1, 100);
  here().paused++;
  here().window = kStale;
  program.alloc(2, 10).free(1);
  here().paused--;
  here().window = kStale;
  program.alloc(3, 1);
  EXPECT_EQ(allocated(scope), 101u);
  EXPECT_EQ(freed(scope), 100u);
}

TEST_F(ScopesTest, FrameCachesAreToldWhenScopesChange) {
  const ScopeRef scope = begin();
  Program program;
  program.alloc(1, 1);
  const int before = ManualFrames::refreshes;
  program.alloc(2, 1).alloc(3, 1);
  EXPECT_EQ(ManualFrames::refreshes, before);
  activate(scope, here(), {});
  const ScopeRef inner = begin();
  program.alloc(4, 1).alloc(5, 1);
  EXPECT_EQ(ManualFrames::refreshes, before + 1);
  close_scope(inner);
  program.alloc(6, 1);
  EXPECT_EQ(ManualFrames::refreshes, before + 2);
}

// -- threads

TEST_F(ScopesTest, AScopeOfAllThreadsRecordsEveryThread) {
  WaitingThread other;
  const ScopeRef scope = begin(kAllThreads);
  Program().alloc(1, 10);
  Program(other.block()).alloc(2, 20);
  const auto rows = threads(snapshot_of(scope));
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows.at(engine.labels[here().serial].id).live_bytes, 10u);
  EXPECT_EQ(rows.at(other.id()).live_bytes, 20u);
}

TEST_F(ScopesTest, AScopeOfTheCurrentThreadRecordsOnlyThatOne) {
  WaitingThread other;
  const ScopeRef scope = begin(kCurrentThread);
  Program().alloc(1, 10);
  Program(other.block()).alloc(2, 20);
  EXPECT_EQ(allocated(scope), 10u);
}

TEST_F(ScopesTest, AnotherThreadsFreeOfABlockIsSeen) {
  WaitingThread other;
  const ScopeRef scope = begin(kCurrentThread);
  Program().alloc(1, 10);
  Program(other.block()).free(1);
  EXPECT_EQ(freed(scope), 10u);
  EXPECT_EQ(live(scope), 0u);
}

TEST_F(ScopesTest, AScopeOfTheCurrentThreadMayBeActiveOnSeveral) {
  WaitingThread other;
  const ScopeRef scope = begin(kCurrentThread);
  activate(scope, other.block(), {});
  Program().alloc(1, 10);
  Program(other.block()).alloc(2, 20);
  suspend(scope, here(), true);
  Program().alloc(3, 40);
  Program(other.block()).alloc(4, 80);
  EXPECT_EQ(allocated(scope), 110u);
}

TEST_F(ScopesTest, AScopeOfAllThreadsIsActiveEverywhereWhileOneActivationRuns) {
  WaitingThread other;
  const ScopeRef scope = open(kAllThreads);
  activate(scope, other.block(), {});
  Program().alloc(1, 10);
  suspend(scope, other.block(), false);
  Program().alloc(2, 20);
  Program(other.block()).alloc(3, 40);
  EXPECT_EQ(allocated(scope), 10u);
}

TEST_F(ScopesTest, AThreadBornDuringAScopeIsRecordedAndNamed) {
  const ScopeRef scope = begin(kAllThreads);
  std::uint64_t id = 0;
  {
    WaitingThread other;
    id = other.id();
    Program(other.block()).alloc(1, 10);
  }
  const auto rows = threads(snapshot_of(scope));
  ASSERT_TRUE(rows.contains(id));
  EXPECT_EQ(rows.at(id).live_bytes, 10u);
}

TEST_F(ScopesTest, AThreadsBlocksOutliveIt) {
  const ScopeRef scope = begin(kAllThreads);
  {
    WaitingThread other;
    Program(other.block()).alloc(1, 10).alloc(2, 20);
  }
  WaitingThread successor;  // takes over the block of the one that is gone
  Program(successor.block()).free(1);
  EXPECT_EQ(live(scope), 20u);
  EXPECT_EQ(freed(scope), 10u);
  EXPECT_EQ(total(snapshot_of(scope)).temporary_count, 0u);
}

// -- nesting and overlap

TEST_F(ScopesTest, AnInnerScopesBlocksBelongToTheOuterToo) {
  const ScopeRef outer = begin();
  Program program;
  program.alloc(1, 1);
  const ScopeRef inner = begin();
  program.alloc(2, 2);
  close_scope(inner);
  program.alloc(3, 4).free(2);
  EXPECT_EQ(allocated(outer), 7u);
  EXPECT_EQ(live(outer), 5u);
  EXPECT_FALSE(is_open(inner));
  EXPECT_TRUE(snapshot_of(inner).rows.empty());
}

TEST_F(ScopesTest, ScopesMayOverlapInAnyOrder) {
  Program program;
  const ScopeRef first = begin();
  program.alloc(1, 1);
  const ScopeRef second = begin();
  program.alloc(2, 2);
  suspend(first, here(), false);
  program.alloc(3, 4);
  EXPECT_EQ(allocated(first), 3u);
  EXPECT_EQ(allocated(second), 6u);
  close_scope(first);
  program.free(2).free(1).alloc(4, 8);
  EXPECT_EQ(allocated(second), 14u);
  EXPECT_EQ(freed(second), 2u);
}

TEST_F(ScopesTest, OneHundredNestedScopesEachSeeWhatCameAfterThem) {
  std::vector<ScopeRef> scopes;
  Program program;
  for (std::uint64_t i = 0; i < 100; i++) {
    scopes.push_back(begin());
    program.alloc(i, 1);
  }
  program.free(99).free(0);
  for (std::uint64_t i = 0; i < 100; i++) {
    const Counters c = total(snapshot_of(scopes[i]));
    EXPECT_EQ(c.allocated_bytes, 100 - i);
    EXPECT_EQ(c.peak_bytes, 100 - i);
    EXPECT_EQ(c.freed_bytes, i == 0 ? 2u : 1u);
  }
  for (std::uint64_t i = 0; i < 100; i += 2) close_scope(scopes[i]);
  for (std::uint64_t i = 1; i < 100; i += 2) EXPECT_EQ(allocated(scopes[i]), 100 - i);
}

TEST_F(ScopesTest, AReusedIdIsNotTheScopeThatHadIt) {
  const ScopeRef outer = begin();
  const ScopeRef old = begin();
  Program program;
  program.alloc(1, 100);
  close_scope(old);
  const ScopeRef fresh = begin();
  EXPECT_EQ(fresh.id, old.id);
  program.free(1).alloc(2, 7);
  EXPECT_FALSE(is_open(old));
  EXPECT_EQ(total(snapshot_of(fresh)), (Counters{7, 1, 7, 1, 7, 1, 0, 0, 0, 0}));
  close_scope(old);  // means nobody
  suspend(old, here(), true);
  EXPECT_TRUE(is_open(fresh));
  program.alloc(3, 1);
  EXPECT_EQ(allocated(fresh), 8u);
  EXPECT_EQ(freed(outer), 100u);
}

TEST_F(ScopesTest, AManyTimesSuspendedScopeTakesNoMoreWindows) {
  const ScopeRef outer = begin();
  const ScopeRef scope = open(kCurrentThread);
  Program program;
  for (std::uint64_t i = 0; i < 1000; i++) {
    activate(scope, here(), {});
    program.alloc(1, 10).free(1);
    suspend(scope, here(), false);
    program.alloc(1, 10).free(1);
  }
  EXPECT_LE(engine.window_top - kFirstWindow - engine.free_window_count, 3u);
  EXPECT_LE(engine.account_top, 3u);
  EXPECT_EQ(total(snapshot_of(scope)).temporary_count, 1000u);
  EXPECT_EQ(total(snapshot_of(outer)).temporary_count, 2000u);
}

TEST_F(ScopesTest, AccountsOfInnerScopesComeBackWhenTheirBlocksAreGone) {
  const ScopeRef outer = begin();
  Program program;
  for (int i = 0; i < 1000; i++) {
    const ScopeRef inner = begin();
    program.alloc(1, 10).alloc(2, 10);
    close_scope(inner);
    program.free(1).free(2);
  }
  EXPECT_LE(engine.account_top, 8u);
  EXPECT_EQ(allocated(outer), 20'000u);
  EXPECT_EQ(live(outer), 0u);
}

// -- places: paths are cut at the scope's own frame

TEST_F(ScopesTest, AScopesPathsBeginAtItsMarker) {
  Program program;
  const ScopeRef outer = begin(), inner = begin();
  const PathId f = call(marker(program.bottom(), outer), "f");
  const PathId g = call(marker(call(f, "between"), inner), "g");
  program.at(call(g, "h", 6)).alloc(1, 10);
  EXPECT_EQ(stacks(snapshot_of(outer)).begin()->first, "f/between/g/h+6");
  EXPECT_EQ(stacks(snapshot_of(inner)).begin()->first, "g/h+6");
}

TEST_F(ScopesTest, WithoutAMarkerAPathBeginsAtTheThreadsBottom) {
  Program program;
  const ScopeRef scope = begin();
  program.at(call(call(program.bottom(), "main"), "f")).alloc(1, 10);
  program.at(0).alloc(2, 5);
  EXPECT_EQ(stacks(snapshot_of(scope)), (Stacks{{"", {5, 1, 5, 1, 5, 1, 0, 0, 0, 0}},
                                                {"main/f", {10, 1, 10, 1, 10, 1, 0, 0, 0, 0}}}));
}

TEST_F(ScopesTest, PathsThatDifferBeforeTheMarkerAreOnePlace) {
  Program program;
  const ScopeRef scope = begin();
  program.at(call(marker(call(program.bottom(), "a"), scope), "f")).alloc(1, 1);
  program.at(call(marker(call(program.bottom(), "b"), scope), "f")).alloc(2, 2);
  const Stacks rows = stacks(snapshot_of(scope));
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows.at("f").live_bytes, 3u);
}

TEST_F(ScopesTest, ParentsComeBeforeTheirChildrenInASnapshot) {
  Program program;
  const ScopeRef scope = begin();
  PathId path = program.bottom();
  for (std::uint64_t i = 0; i < 50; i++) {
    path = call(path, "f" + std::to_string(i % 7));
    program.at(path).alloc(i, 1);
  }
  const Snapshot snapshot = snapshot_of(scope);
  ASSERT_EQ(snapshot.nodes.size(), 51u);
  for (std::uint32_t i = 1; i < 51; i++) EXPECT_LT(snapshot.nodes[i].parent, i);
  EXPECT_EQ(snapshot.codes.size(), 7u);
}

TEST_F(ScopesTest, ADeadCodeObjectKeepsItsName) {
  static int code;
  const auto named = [](const char* name) {
    return engine.tree.code_id(&code, [&](CodeEntry& entry, memory::BlockPool& texts) {
      auto* copy = static_cast<char*>(texts.allocate(1));
      *copy = *name;
      entry.function = CopiedText{copy, 1, 1};
    });
  };
  const ScopeRef scope = begin();
  Program program;
  const PathKey first{KeyKind::kFrame, named("x"), 0};
  program.at(engine.tree.child(program.bottom(), first)).alloc(1, 1);
  engine.tree.code_died(&code);
  const PathKey second{KeyKind::kFrame, named("y"), 0};
  program.at(engine.tree.child(program.bottom(), second)).alloc(2, 2);
  const Stacks rows = stacks(snapshot_of(scope));
  EXPECT_EQ(rows.at("x").live_bytes, 1u);
  EXPECT_EQ(rows.at("y").live_bytes, 2u);
}

TEST_F(ScopesTest, NamesOfEveryWidthComeOutAsUtf8) {
  static int code;
  static const std::uint16_t file[] = {0xe9, 0x20ac, 0xdc80};  // é, €, an undecodable byte
  static const std::uint32_t function[] = {0x1f600, 'x'};
  const std::uint32_t id = engine.tree.code_id(&code, [](CodeEntry& entry, memory::BlockPool& p) {
    void* a = p.allocate(sizeof(function));
    void* b = p.allocate(sizeof(file));
    __builtin_memcpy(a, function, sizeof(function));
    __builtin_memcpy(b, file, sizeof(file));
    entry.function = CopiedText{a, 2, 4};
    entry.file = CopiedText{b, 3, 2};
    entry.first_line = 12;
  });
  const ScopeRef scope = begin();
  Program program;
  program.at(engine.tree.child(program.bottom(), {KeyKind::kFrame, id, 4})).alloc(1, 1);
  const Snapshot snapshot = snapshot_of(scope);
  ASSERT_EQ(snapshot.codes.size(), 1u);
  EXPECT_EQ(snapshot.codes[0].function, "\xf0\x9f\x98\x80x");
  EXPECT_EQ(snapshot.codes[0].file, "\xc3\xa9\xe2\x82\xac\x80");
  EXPECT_EQ(snapshot.codes[0].first_line, 12);
  EXPECT_EQ(snapshot.nodes[1].offset, 4u);
}

// -- ended scopes

TEST_F(ScopesTest, FreesAfterTheLastReturnAreUndone) {
  const ScopeRef scope = begin();
  Program program;
  const PathId f = call(program.bottom(), "f"), g = call(program.bottom(), "g");
  program.at(f).alloc(1, 100).alloc(2, 20).at(g).alloc(3, 3);
  program.free(2);
  const Counters at_return = total(snapshot_of(scope));
  suspend(scope, here(), true);
  program.free(1).free(3);
  EXPECT_EQ(total(snapshot_of(scope)), at_return);
  const Stacks rows = stacks(snapshot_of(scope));
  EXPECT_EQ(rows.at("f"), (Counters{100, 1, 120, 2, 120, 2, 20, 1, 0, 0}));
  EXPECT_EQ(rows.at("g"), (Counters{3, 1, 3, 1, 3, 1, 0, 0, 0, 0}));
}

TEST_F(ScopesTest, FreesOfAPausedScopeAreNotUndone) {
  const ScopeRef scope = begin();
  Program program;
  program.alloc(1, 100);
  suspend(scope, here(), false);
  program.free(1);
  EXPECT_EQ(freed(scope), 100u);
}

TEST_F(ScopesTest, FreesAfterAReturnCountAgainWhenTheScopeBecomesActiveAgain) {
  const ScopeRef scope = begin();
  Program program;
  program.alloc(1, 100).alloc(2, 10);
  suspend(scope, here(), true);
  program.free(1);
  EXPECT_EQ(live(scope), 110u);
  activate(scope, here(), {});
  EXPECT_EQ(live(scope), 10u);
  program.alloc(3, 95);
  EXPECT_EQ(total(snapshot_of(scope)).peak_bytes, 110u);  // 105 live: no new peak
  suspend(scope, here(), true);
  program.free(2);
  EXPECT_EQ(total(snapshot_of(scope)), (Counters{.live_bytes = 105,
                                                 .live_count = 2,
                                                 .peak_bytes = 110,
                                                 .peak_count = 2,
                                                 .allocated_bytes = 205,
                                                 .allocated_count = 3,
                                                 .freed_bytes = 100,
                                                 .freed_count = 1}));
}

TEST_F(ScopesTest, ATemporaryFreedAfterTheReturnIsUndoneToo) {
  const ScopeRef scope = begin();
  Program program;
  program.alloc(1, 100);
  suspend(scope, here(), true);
  program.free(1);
  EXPECT_EQ(total(snapshot_of(scope)).temporary_count, 0u);
  activate(scope, here(), {});
  EXPECT_EQ(total(snapshot_of(scope)).temporary_count, 1u);
}

TEST_F(ScopesTest, AReallocationAfterTheReturnIsUndone) {
  const ScopeRef outer = begin();
  const ScopeRef scope = begin(kCurrentThread);
  Program program;
  program.alloc(1, 100).alloc(2, 1);
  suspend(scope, here(), true);
  program.realloc(1, 3, 200).alloc(2, 5);  // and a free that nobody saw
  EXPECT_EQ(live(scope), 101u);
  EXPECT_EQ(freed(scope), 0u);
  EXPECT_EQ(total(snapshot_of(scope)).reallocated_count, 0u);
  EXPECT_EQ(live(outer), 205u);
  EXPECT_EQ(total(snapshot_of(outer)).reallocated_count, 1u);
}

TEST_F(ScopesTest, OnlyTheScopeThatHasEndedUndoesTheFree) {
  const ScopeRef outer = begin(), inner = begin();
  Program program;
  program.alloc(1, 100).alloc(2, 10);
  suspend(inner, here(), true);
  program.free(1);
  EXPECT_EQ(live(outer), 10u);
  EXPECT_EQ(live(inner), 110u);
  suspend(outer, here(), true);
  program.free(2);
  EXPECT_EQ(live(outer), 10u);
  EXPECT_EQ(live(inner), 110u);
  close_scope(outer);
  EXPECT_EQ(live(inner), 110u);
}

TEST_F(ScopesTest, AScopeEndsWithItsLastActivationOnAnyThread) {
  WaitingThread other;
  const ScopeRef scope = begin();
  activate(scope, other.block(), {});
  Program program;
  program.alloc(1, 100).alloc(2, 10).alloc(3, 1);
  suspend(scope, here(), true);
  program.free(1);
  EXPECT_EQ(live(scope), 11u);
  suspend(scope, other.block(), true);
  program.free(2);
  EXPECT_EQ(live(scope), 11u);
}

TEST_F(ScopesTest, AFunctionCalledOverAndOverKeepsNoJournalOfOldReturns) {
  const ScopeRef scope = open(kCurrentThread);
  Program program;
  for (int i = 0; i < 1000; i++) {
    activate(scope, here(), {});
    program.alloc(1, 10);
    suspend(scope, here(), true);
    program.free(1);  // what it returned dies after every call
  }
  EXPECT_LE(engine.journal_count, 1u);
  EXPECT_EQ(live(scope), 10u);
  EXPECT_EQ(freed(scope), 9'990u);
}

TEST_F(ScopesTest, AFullJournalIsLostAndTheFreeCountsAsBeforeTheEnd) {
  EXPECT_TRUE(in_child([] {
    engine.journal.release();
    ASSERT_TRUE(engine.journal.reserve(2, 2));
    const ScopeRef scope = open_scope(true);
    activate(scope, here(), {});
    Program program;
    program.alloc(1, 1).alloc(2, 2).alloc(3, 4).alloc(4, 8);
    suspend(scope, here(), true);
    program.free(1).free(2).free(3);
    const Snapshot snapshot = snapshot_of(scope);
    EXPECT_EQ(lost(snapshot, Lost::kJournalFull), 1u);
    EXPECT_EQ(total(snapshot).live_bytes, 11u);
    EXPECT_EQ(total(snapshot).freed_bytes, 4u);
  }));
}

// -- reset

TEST_F(ScopesTest, AResetScopeForgetsAndGoesOn) {
  const ScopeRef outer = begin();
  const ScopeRef scope = open(kCurrentThread);
  activate(scope, here(), {});
  Program program;
  program.alloc(1, 100).free(99);
  const ScopeRef fresh = reset_scope(scope);
  EXPECT_FALSE(is_open(scope));
  EXPECT_TRUE(snapshot_of(fresh).rows.empty());
  program.free(1).alloc(2, 7);
  EXPECT_EQ(total(snapshot_of(fresh)), (Counters{7, 1, 7, 1, 7, 1, 0, 0, 0, 0}));
  suspend(fresh, here(), true);
  program.alloc(3, 1);
  EXPECT_EQ(allocated(fresh), 7u);
  EXPECT_EQ(allocated(outer), 108u);
  close_scope(fresh);
}

TEST_F(ScopesTest, ResetKeepsEveryActivation) {
  WaitingThread other;
  for (bool all_threads : {true, false}) {
    const ScopeRef scope = open(all_threads);
    activate(scope, here(), {});
    activate(scope, here(), {});
    activate(scope, other.block(), {});
    const ScopeRef fresh = reset_scope(scope);
    Program().alloc(1, 1);
    Program(other.block()).alloc(2, 2);
    suspend(fresh, here(), true);
    Program().alloc(3, 4);
    suspend(fresh, here(), true);
    suspend(fresh, other.block(), true);
    Program().alloc(4, 8);
    Program(other.block()).alloc(5, 16);
    EXPECT_EQ(allocated(fresh), 7u);
    close_scope(fresh);
  }
}

TEST_F(ScopesTest, ResettingTheOnlyScopeDoesNotEndTheSession) {
  const ScopeRef scope = begin();
  const std::uint64_t generation = engine.generation;
  const ScopeRef fresh = reset_scope(scope);
  EXPECT_EQ(engine.generation, generation);
  EXPECT_EQ(engine.open_scopes, 1u);
  close_scope(fresh);
  EXPECT_EQ(reset_scope(scope).id, scope.id);  // closed: nothing to do
  EXPECT_EQ(engine.open_scopes, 0u);
}

// -- sessions

TEST_F(ScopesTest, HooksAreSwitchedOnBeforeTheFirstScopeAndOffAfterTheLast) {
  static std::vector<bool> calls;
  calls.clear();
  engine.session_hook = [](bool on) { calls.push_back(on); };
  const ScopeRef a = begin();
  const ScopeRef b = begin();
  close_scope(a);
  EXPECT_EQ(calls, (std::vector<bool>{true}));
  close_scope(b);
  close_scope(b);
  EXPECT_EQ(calls, (std::vector<bool>{true, false}));
  engine.session_hook = nullptr;
}

TEST_F(ScopesTest, ABlockFromAnEarlierSessionIsForeign) {
  Program program;
  close_scope([&] {
    const ScopeRef scope = begin();
    program.alloc(1, 100);
    return scope;
  }());
  const ScopeRef scope = begin();
  program.alloc(3, 7);  // its account may have the number that block 1 was recorded with
  program.free(1);
  EXPECT_EQ(total(snapshot_of(scope)).freed_count, 0u);
  program.alloc(1, 5).realloc(1, 2, 6);
  EXPECT_EQ(allocated(scope), 18u);
}

TEST_F(ScopesTest, ATemporaryDoesNotReachAcrossSessions) {
  Program program;
  const ScopeRef first = begin();
  program.alloc(1, 100);
  close_scope(first);
  const ScopeRef second = begin();
  program.free(1);
  EXPECT_TRUE(snapshot_of(second).rows.empty());
}

TEST_F(ScopesTest, SixHundredSessionsNeverMistakeOldBlocksForTheirs) {
  Program program;
  for (std::uint64_t session = 0; session < 600; session++) {
    const ScopeRef scope = begin();
    // Blocks of the sessions before, one of which had every generation there is.
    for (std::uint64_t old = session < 300 ? 0 : session - 300; old < session; old++) {
      program.free(old);
    }
    program.alloc(session, 10);
    ASSERT_EQ(total(snapshot_of(scope)), (Counters{10, 1, 10, 1, 10, 1, 0, 0, 0, 0}))
        << "session " << session;
    close_scope(scope);
    ASSERT_NE(engine.generation, 0u);
  }
}

TEST_F(ScopesTest, BlocksThatNobodyFreesDoNotComeBackAfterTheGenerationsWrap) {
  Program program;
  for (std::uint64_t session = 0; session < 520; session++) {
    const ScopeRef scope = begin();
    for (std::uint64_t block = 0; block < 8; block++) {
      program.alloc(session % 7 * 8 + block, 10);  // left alive; unseen frees of foreign blocks
    }
    ASSERT_EQ(live(scope), 80u) << "session " << session;
    ASSERT_EQ(freed(scope), 0u) << "session " << session;
    close_scope(scope);
  }
}

TEST_F(ScopesTest, AWornCallTreeIsStartedOverAndThreadsKeepTheirNames) {
  WaitingThread second, third;
  const std::vector<Thread*> blocks = {&here(), &second.block(), &third.block()};
  std::vector<std::uint64_t> ids;
  for (const Thread* thread : blocks) ids.push_back(engine.labels[thread->serial].id);
  ScopeRef scope = begin();
  const PathId path = call(here().root, "f");
  for (std::uint32_t i = 0; !engine.tree.worn(); i++) {
    engine.tree.child(path, {KeyKind::kFrame, i >> 16, i & 0xffff});
  }
  const std::uint64_t epoch = engine.code_epoch;
  close_scope(scope);
  EXPECT_LT(engine.tree.path_count(), 100u);
  EXPECT_EQ(engine.code_epoch, epoch + 1);  // caches of paths are void
  scope = begin();
  for (std::size_t i = 0; i < blocks.size(); i++) {
    Program program(*blocks[i]);
    program.at(call(program.bottom(), "f")).alloc(i, i + 1);
  }
  const auto rows = threads(snapshot_of(scope));
  ASSERT_EQ(rows.size(), 3u);
  for (std::size_t i = 0; i < blocks.size(); i++) {
    ASSERT_TRUE(rows.contains(ids[i]));
    EXPECT_EQ(rows.at(ids[i]).live_bytes, i + 1);
  }
  EXPECT_EQ(stacks(snapshot_of(scope)).at("f").live_bytes, 6u);
}

TEST_F(ScopesTest, TimeRunsFromTheFirstActivationToTheLastReturn) {
  const ScopeRef scope = open();
  EXPECT_EQ(snapshot_of(scope).duration_ns, 0);
  activate(scope, here(), {});
  const std::int64_t running = snapshot_of(scope).duration_ns;
  EXPECT_GT(running, 0);
  EXPECT_GT(snapshot_of(scope).duration_ns, running);
  suspend(scope, here(), true);
  const std::int64_t stopped = snapshot_of(scope).duration_ns;
  EXPECT_GT(stopped, running);
  EXPECT_EQ(snapshot_of(scope).duration_ns, stopped);
  EXPECT_EQ(snapshot_of(scope).timeline.back().ns, stopped);
}

// -- fork

TEST_F(ScopesTest, AForkedChildsInheritedScopeIsInertAndItMayOpenItsOwn) {
  const ScopeRef inherited = begin();
  Program program;
  program.alloc(1, 100);
  EXPECT_TRUE(in_child([&] {
    EXPECT_FALSE(is_open(inherited));
    program.alloc(2, 50);
    EXPECT_TRUE(snapshot_of(inherited).rows.empty());
    EXPECT_EQ(reset_scope(inherited).serial, inherited.serial);
    suspend(inherited, here(), true);
    const ScopeRef own = open_scope(true);
    EXPECT_NE(own.id, 0u);
    activate(own, here(), {});
    program.free(1).free(2).alloc(3, 7);
    EXPECT_EQ(total(snapshot_of(own)), (Counters{7, 1, 7, 1, 7, 1, 0, 0, 0, 0}));
    activate(inherited, here(), {});
    close_scope(inherited);
    program.alloc(4, 3);
    EXPECT_EQ(allocated(own), 10u);
    close_scope(own);
    expect_idle();
  }));
  program.free(1).alloc(2, 5);
  EXPECT_EQ(freed(inherited), 100u);
  EXPECT_EQ(allocated(inherited), 105u);
}

TEST_F(ScopesTest, AChildOfManyThreadsAndScopesStartsWithNone) {
  WaitingThread other;
  std::vector<ScopeRef> scopes;
  for (int i = 0; i < 20; i++) {
    scopes.push_back(begin(i % 2 == 0));
    activate(scopes.back(), other.block(), {});
    Program().alloc(static_cast<std::uint64_t>(i), 10);
    Program(other.block()).alloc(static_cast<std::uint64_t>(100 + i), 10);
  }
  EXPECT_TRUE(in_child([&] {
    EXPECT_EQ(engine.open_scopes, 0u);
    EXPECT_EQ(engine.thread_count, 1u);
    const ScopeRef outer = open_scope(true), inner = open_scope(false);
    activate(outer, here(), {});
    activate(inner, here(), {});
    Program().alloc(1, 10).alloc(2, 5).free(1);
    EXPECT_EQ(total(snapshot_of(outer)), (Counters{5, 1, 15, 2, 15, 2, 10, 1, 0, 0}));
    EXPECT_EQ(total(snapshot_of(inner)), total(snapshot_of(outer)));
    if (test::kChildMayStartThreads) {
      WaitingThread young;
      Program(young.block()).alloc(3, 20);
      EXPECT_EQ(allocated(outer), 35u);
      EXPECT_EQ(allocated(inner), 15u);
    }
    close_scope(outer);
    close_scope(inner);
    expect_idle();
  }));
  EXPECT_EQ(allocated(scopes[0]), 400u);
}

TEST_F(ScopesTest, AGrandchildMayRecordToo) {
  begin();
  EXPECT_TRUE(in_child([&] {
    const ScopeRef scope = open_scope(true);
    activate(scope, here(), {});
    Program().alloc(1, 10);
    EXPECT_TRUE(in_child([&] {
      EXPECT_FALSE(is_open(scope));
      const ScopeRef own = open_scope(true);
      activate(own, here(), {});
      Program().alloc(2, 3);
      EXPECT_EQ(allocated(own), 3u);
      close_scope(own);
    }));
    EXPECT_EQ(allocated(scope), 10u);
    close_scope(scope);
  }));
}

// -- limits

TEST_F(ScopesTest, WhenEveryIdIsTakenTheProgramGoesOnWithoutAnother) {
  EXPECT_TRUE(in_child([] {
    std::vector<ScopeRef> scopes;
    for (std::uint32_t i = 1; i < Engine::kMaxScopes; i++) scopes.push_back(open_scope(false));
    EXPECT_NE(scopes.back().id, 0u);
    const ScopeRef refused = open_scope(false);
    EXPECT_EQ(refused.id, 0u);
    EXPECT_FALSE(is_open(refused));
    activate(refused, here(), {});
    suspend(refused, here(), true);
    close_scope(refused);
    EXPECT_TRUE(snapshot_of(refused).rows.empty());
    activate(scopes.back(), here(), {});
    Program().alloc(1, 10);
    EXPECT_EQ(allocated(scopes.back()), 10u);
    close_scope(scopes.back());
    EXPECT_NE(open_scope(false).id, 0u);
  }));
}

}  // namespace
}  // namespace malloc_tracer::capture
