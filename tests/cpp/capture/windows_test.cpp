// SPDX-License-Identifier: MIT
#include "capture/windows.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <random>
#include <set>
#include <vector>

#include "capture/engine_test.hpp"

namespace malloc_tracer::capture {
namespace {

using test::EngineTest;
using Scopes = std::set<ScopeId>;

class WindowsTest : public EngineTest {
 protected:
  void TearDown() override {
    // No account and no thread has any of them.
    for (const auto& [scopes, window] : windows_) {
      if (window != kNoWindow) window_forget(window);
    }
    window_cache_clear();
    EngineTest::TearDown();
  }

  // Expects that the window is this set, and that equal sets are one window.
  void expect(WindowId window, const Scopes& scopes) {
    const auto [there, fresh] = windows_.try_emplace(scopes, window);
    ASSERT_EQ(window, there->second);
    const Window& w = engine.windows[window];
    ASSERT_EQ(w.count, scopes.size());
    ASSERT_TRUE(std::equal(w.ids, w.ids + w.count, scopes.begin()));
    if (!fresh) return;
    for (const auto& entry : windows_) {
      ASSERT_TRUE(entry.second != window || entry.first == scopes) << "two sets share a window";
    }
  }

  std::map<Scopes, WindowId> windows_{{{}, kNoWindow}};
};

TEST_F(WindowsTest, TheEmptySetIsNoWindow) {
  EXPECT_FALSE(window_has(kNoWindow, 1));
  EXPECT_EQ(window_without(kNoWindow, 1), kNoWindow);
  EXPECT_EQ(window_union(kNoWindow, kNoWindow), kNoWindow);
}

TEST_F(WindowsTest, AScopeIsPutInAndTakenOut) {
  const WindowId one = window_with(kNoWindow, 1);
  expect(one, {1});
  expect(window_with(one, 3), {1, 3});
  expect(window_with(window_with(one, 3), 2), {1, 2, 3});
  expect(window_without(window_with(one, 3), 1), {3});
  expect(window_without(one, 1), {});
}

TEST_F(WindowsTest, TheOrderOfComingDoesNotMatter) {
  const WindowId ab = window_with(window_with(kNoWindow, 1), 2);
  const WindowId ba = window_with(window_with(kNoWindow, 2), 1);
  EXPECT_EQ(ab, ba);
  expect(ab, {1, 2});
  expect(window_without(ab, 2), {1});
  expect(window_without(ab, 1), {2});
}

TEST_F(WindowsTest, PuttingInTwiceOrTakingOutWhatIsNotInChangesNothing) {
  const WindowId one = window_with(kNoWindow, 1);
  expect(one, {1});
  EXPECT_EQ(window_with(one, 1), one);
  EXPECT_EQ(window_without(one, 2), one);
}

TEST_F(WindowsTest, TheRankCountsTheScopesBelow) {
  const WindowId window = window_with(window_with(window_with(kNoWindow, 5), 9), 7);
  expect(window_with(kNoWindow, 5), {5});
  expect(window_with(window_with(kNoWindow, 5), 9), {5, 9});
  expect(window, {5, 7, 9});
  EXPECT_EQ(window_rank(window, 5), 0u);
  EXPECT_EQ(window_rank(window, 7), 1u);
  EXPECT_EQ(window_rank(window, 9), 2u);
  EXPECT_TRUE(window_has(window, 7));
  EXPECT_FALSE(window_has(window, 6));
}

TEST_F(WindowsTest, AForgottenWindowIsReusedForAnotherSet) {
  const WindowId one = window_with(kNoWindow, 1);
  window_forget(one);
  window_cache_clear();
  const WindowId two = window_with(kNoWindow, 2);
  EXPECT_EQ(two, one);
  expect(two, {2});
  EXPECT_FALSE(window_has(two, 1));
}

// The set is known but the way to it is not in the cache: the trial window must leave no trace.
TEST_F(WindowsTest, AWindowFoundTheLongWayLeavesNoDoubleBehind) {
  const WindowId one = window_with(kNoWindow, 1);
  expect(one, {1});
  window_cache_clear();
  EXPECT_EQ(window_with(kNoWindow, 1), one);
  for (WindowId window = kFirstWindow; window < engine.window_top; window++) {
    if (window == one) continue;
    EXPECT_FALSE(window_has(window, 1)) << "a free window still holds scope 1";
  }
}

TEST_F(WindowsTest, BehavesLikeSetsOnRandomData) {
  std::mt19937 random(1);
  std::vector<Scopes> sets = {{}};
  for (int step = 0; step < 20'000; step++) {
    const Scopes a = sets[random() % sets.size()];
    const WindowId window = windows_.at(a);
    const auto scope = static_cast<ScopeId>(1 + random() % (step % 2 == 0 ? 8 : 70));
    ASSERT_EQ(window_has(window, scope), a.contains(scope));
    Scopes result = a;
    WindowId got = kNoWindow;
    switch (random() % 3) {
      case 0:
        result.insert(scope);
        got = window_with(window, scope);
        break;
      case 1:
        result.erase(scope);
        got = window_without(window, scope);
        break;
      default: {
        const Scopes& b = sets[random() % sets.size()];
        result.insert(b.begin(), b.end());
        got = window_union(window, windows_.at(b));
        break;
      }
    }
    const bool fresh = !windows_.contains(result);
    ASSERT_NO_FATAL_FAILURE(expect(got, result)) << "step " << step;
    if (fresh) sets.push_back(result);
    if (sets.size() > 300) {  // one goes, as when a scope closes
      std::swap(sets[1 + random() % (sets.size() - 1)], sets.back());
      window_forget(windows_.at(sets.back()));
      window_cache_clear();
      windows_.erase(sets.back());
      sets.pop_back();
    }
  }
}

}  // namespace
}  // namespace malloc_tracer::capture
