// SPDX-License-Identifier: MIT
#include "capture/call_tree.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <random>
#include <set>
#include <thread>
#include <tuple>
#include <vector>

#include "many_threads.hpp"

namespace malloc_tracer::capture {
namespace {

PathKey frame(std::uint32_t code, std::uint32_t offset) { return {KeyKind::kFrame, code, offset}; }

class CallTreeTest : public testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(tree_.start()); }

  std::uint32_t code_id(const void* code, int first_line = 1) {
    return tree_.code_id(code, [&](CodeEntry& entry, memory::BlockPool&) {
      entry.first_line = first_line;
      described_++;
    });
  }

  CallTree tree_;  // its tables stay for the process
  int described_ = 0;
};

TEST_F(CallTreeTest, EqualParentAndKeyGiveTheSamePath) {
  const PathId thread = tree_.child(0, {KeyKind::kThread, 0, 0});
  const PathId f = tree_.child(thread, frame(1, 10));
  EXPECT_NE(thread, 0u);
  EXPECT_NE(f, thread);
  EXPECT_EQ(tree_.child(thread, frame(1, 10)), f);
  EXPECT_EQ(tree_.path_count(), 3u);  // path 0 is nobody's
}

TEST_F(CallTreeTest, EveryPartOfAKeyAndTheParentTellPathsApart) {
  const PathId root = tree_.child(0, {KeyKind::kThread, 0, 0});
  const std::set<PathId> paths = {
      root,
      tree_.child(root, frame(1, 10)),
      tree_.child(root, frame(1, 11)),
      tree_.child(root, frame(2, 10)),
      tree_.child(root, {KeyKind::kMarker, 1, 10}),
      tree_.child(root, {KeyKind::kThread, 1, 10}),
      tree_.child(tree_.child(root, frame(1, 10)), frame(1, 10)),
      tree_.child(0, frame(1, 10)),
  };
  EXPECT_EQ(paths.size(), 8u);
}

TEST_F(CallTreeTest, ANodeSaysItsKeyAndItsParent) {
  const PathId thread = tree_.child(0, {KeyKind::kThread, 77, 0});
  const PathId mark = tree_.child(thread, {KeyKind::kMarker, 0xffff, 0});
  const PathId f = tree_.child(mark, frame(0x3fff'ffff, 0xffff'ffff));
  EXPECT_EQ(tree_.node(thread).kind(), KeyKind::kThread);
  EXPECT_EQ(tree_.node(thread).id(), 77u);
  EXPECT_EQ(tree_.node(thread).parent, 0u);
  EXPECT_EQ(tree_.node(mark).kind(), KeyKind::kMarker);
  EXPECT_EQ(tree_.node(mark).id(), 0xffffu);
  EXPECT_EQ(tree_.node(mark).parent, thread);
  EXPECT_EQ(tree_.node(f).kind(), KeyKind::kFrame);
  EXPECT_EQ(tree_.node(f).id(), 0x3fff'ffffu);
  EXPECT_EQ(tree_.node(f).offset(), 0xffff'ffffu);
  EXPECT_EQ(tree_.node(f).parent, mark);
}

TEST_F(CallTreeTest, OneMarkerStandsForAllScopesOfAFrame) {
  const auto marked = [&](std::vector<ScopeId> scopes) {
    const auto fill = [&](ScopeId* to) { std::copy(scopes.begin(), scopes.end(), to); };
    return tree_.marked(1, static_cast<std::uint32_t>(scopes.size()), fill);
  };
  const PathId one = marked({3}), three = marked({9, 3, 70'000}), two = marked({9, 3});
  EXPECT_EQ(marked({70'000, 3, 9}), three);
  EXPECT_EQ(tree_.path_count(), 4u);
  const auto marks = [&](PathId path) {
    std::vector<ScopeId> scopes;
    for (const ScopeId scope : {1u, 3u, 9u, 70'000u}) {
      if (tree_.marks(tree_.node(path), scope)) scopes.push_back(scope);
    }
    return scopes;
  };
  EXPECT_EQ(marks(one), (std::vector<ScopeId>{3}));
  EXPECT_EQ(marks(two), (std::vector<ScopeId>{3, 9}));
  EXPECT_EQ(marks(three), (std::vector<ScopeId>{3, 9, 70'000}));
  EXPECT_EQ(marks(tree_.child(one, frame(3, 0))), std::vector<ScopeId>{});
  tree_.clear();
  const PathId other = marked({8, 7});
  EXPECT_EQ(marks(other), std::vector<ScopeId>{});
}

TEST_F(CallTreeTest, WithoutRoomForASetThereIsNoMarker) {
  const auto marked = [&](ScopeId first, ScopeId second) {
    return tree_.marked(1, 2, [&](ScopeId* to) { to[0] = first, to[1] = second; });
  };
  ASSERT_FALSE(tree_.worn());
  for (ScopeId i = 1; i < ScopeSets::kMaxSets; i++) ASSERT_NE(marked(0, i), 0u) << i;
  EXPECT_TRUE(tree_.worn());
  EXPECT_EQ(marked(0, ScopeSets::kMaxSets), 0u);
  tree_.clear();
  EXPECT_FALSE(tree_.worn());
  EXPECT_NE(marked(0, ScopeSets::kMaxSets), 0u);
}

TEST_F(CallTreeTest, ANewPathHasNoAccountForAnyAllocator) {
  const PathId path = tree_.child(0, frame(1, 0));
  for (PlaceId place = path << kPlaceShift; place < (path + 1) << kPlaceShift; place++) {
    EXPECT_EQ(tree_.last_account(place), 0u);
  }
}

TEST_F(CallTreeTest, ALivingCodeObjectIsDescribedOnce) {
  int code = 0;
  const std::uint32_t id = code_id(&code, 12);
  EXPECT_EQ(code_id(&code, 99), id);
  EXPECT_EQ(described_, 1);
  EXPECT_EQ(tree_.code(id).first_line, 12);
  EXPECT_EQ(tree_.code(id).code, &code);
}

TEST_F(CallTreeTest, ACodeObjectAtTheAddressOfADeadOneHasANewId) {
  int code = 0;
  const std::uint32_t before = code_id(&code, 12);
  EXPECT_TRUE(tree_.code_died(&code));
  const std::uint32_t after = code_id(&code, 99);
  EXPECT_NE(after, before);
  EXPECT_EQ(described_, 2);
  EXPECT_EQ(tree_.code(before).first_line, 12);  // what it recorded keeps its name
  EXPECT_EQ(tree_.code(before).code, nullptr);
  EXPECT_EQ(tree_.code(after).first_line, 99);
  EXPECT_NE(tree_.child(0, frame(before, 4)), tree_.child(0, frame(after, 4)));
}

TEST_F(CallTreeTest, TheDeathOfAnUnknownCodeObjectIsNoNews) {
  int known = 0, unknown = 0;
  code_id(&known);
  EXPECT_FALSE(tree_.code_died(&unknown));
  EXPECT_TRUE(tree_.code_died(&known));
  EXPECT_FALSE(tree_.code_died(&known));
}

TEST_F(CallTreeTest, ClearForgetsPathsCodesAndAccounts) {
  int code = 0;
  const std::uint32_t id = code_id(&code);
  const PathId path = tree_.child(0, frame(id, 0));
  tree_.last_account(path << kPlaceShift | 3) = 6;
  tree_.clear();
  EXPECT_EQ(tree_.path_count(), 1u);
  EXPECT_EQ(code_id(&code), 1u);
  EXPECT_EQ(described_, 2);
  EXPECT_EQ(tree_.child(0, frame(1, 0)), 1u);
  EXPECT_EQ(tree_.last_account(1 << kPlaceShift | 3), 0u);
}

TEST_F(CallTreeTest, InternsRandomPathsLikeAMap) {
  std::map<std::tuple<PathId, std::uint32_t, std::uint32_t>, PathId> expected;
  std::vector<PathId> paths = {0};
  std::mt19937 random(1);
  for (int step = 0; step < 200'000; step++) {
    const PathId parent = paths[random() % paths.size()];
    const std::uint32_t code = random() % 4, offset = random() % 4;
    const PathId path = tree_.child(parent, frame(code, offset));
    const auto [there, fresh] = expected.try_emplace({parent, code, offset}, path);
    ASSERT_EQ(path, there->second);
    if (fresh) paths.push_back(path);
    ASSERT_EQ(tree_.path_count(), paths.size());
    ASSERT_EQ(tree_.node(path).parent, parent);
    ASSERT_EQ(tree_.node(path).id(), code);
    ASSERT_EQ(tree_.node(path).offset(), offset);
  }
}

TEST_F(CallTreeTest, ThreadsThatInternTheSamePathsAgree) {
  std::vector<std::vector<PathId>> paths(static_cast<std::size_t>(kManyThreads));
  std::vector<std::thread> threads;
  for (std::vector<PathId>& mine : paths) {
    threads.emplace_back([&] {
      PathId path = 0;
      for (std::uint32_t i = 0; i < 5'000; i++) {
        path = tree_.child(i % 10 == 0 ? 0 : path, frame(i / 10, i % 10));
        mine.push_back(path);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const std::vector<PathId>& mine : paths) EXPECT_EQ(mine, paths[0]);
  EXPECT_EQ(tree_.path_count(), 5'001u);
}

TEST_F(CallTreeTest, AFullTableGivesPathZeroAndKeepsWhatItHas) {
  constexpr std::uint32_t kPaths = CallTree::kMaxPaths - 1;
  EXPECT_FALSE(tree_.worn());
  for (std::uint32_t i = 0; i < kPaths; i++) {
    ASSERT_NE(tree_.child(0, frame(i >> 8, i & 0xff)), 0u) << i;
  }
  EXPECT_TRUE(tree_.worn());
  EXPECT_EQ(tree_.child(0, frame(kPaths >> 8, kPaths & 0xff)), 0u);
  EXPECT_EQ(tree_.child(0, frame(0, 5)), 6u);
  tree_.clear();
  EXPECT_FALSE(tree_.worn());
  EXPECT_EQ(tree_.child(0, frame(kPaths >> 8, kPaths & 0xff)), 1u);
}

}  // namespace
}  // namespace malloc_tracer::capture
