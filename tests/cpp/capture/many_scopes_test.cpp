// SPDX-License-Identifier: MIT
// Many scopes open at once, closed in any order: the numbers are right, and closing one does not
// touch the accounts of all.
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "capture/engine_test.hpp"

namespace malloc_tracer::capture {
namespace {

using snapshot::Snapshot;
using test::call;
using test::EngineTest;
using test::Program;
using test::total;

constexpr std::uint64_t kScopes = 300, kKept = 10, kDropped = 1000;

std::vector<WindowId> windows_of_accounts() {
  std::vector<WindowId> windows;
  for (std::uint32_t id = 1; id < engine.account_top; id++)
    windows.push_back(engine.infos[id].window);
  return windows;
}

class ManyScopesTest : public EngineTest {
 protected:
  void SetUp() override {
    EngineTest::SetUp();
    program_.emplace();  // on a thread that the engine knows
  }
  // One in the other; in each a block that lives on, and a larger one that is there at the peak.
  void open_all() {
    for (std::uint64_t i = 0; i < kScopes; i++) {
      scopes_.push_back(begin());
      const auto at = [&](const char* name) {
        return call(program_->bottom(), name + std::to_string(i));
      };
      program_->at(at("kept")).alloc(i, kKept);
      program_->at(at("dropped")).alloc(kScopes, kDropped).free(kScopes);
    }
    accounts_ = engine.account_top - 1;
  }
  void close_in(const std::vector<std::uint64_t>& order) {
    for (const std::uint64_t i : order) {
      const Snapshot snapshot = snapshot_of(scopes_[i]);
      const std::uint64_t inside = kScopes - i;
      ASSERT_EQ(total(snapshot).live_bytes, inside * kKept);
      ASSERT_EQ(total(snapshot).peak_bytes, inside * kKept + kDropped);
      ASSERT_EQ(total(snapshot).peak_count, inside + 1);
      ASSERT_EQ(total(snapshot).temporary_count, inside);
      const std::vector<WindowId> before = windows_of_accounts();
      close_scope(scopes_[i]);
      const std::vector<WindowId> after = windows_of_accounts();
      for (std::size_t id = 0; id < after.size(); id++) moves_ += before[id] != after[id];
    }
  }
  static std::vector<std::uint64_t> outer_first() {
    std::vector<std::uint64_t> order(kScopes);
    for (std::uint64_t i = 0; i < kScopes; i++) order[i] = i;
    return order;
  }

  std::optional<Program> program_;
  std::vector<ScopeRef> scopes_;
  std::uint64_t accounts_ = 0, moves_ = 0;
};

// Each account moves once, when the last scope that it counts for goes.
TEST_F(ManyScopesTest, OuterScopesCloseFirst) {
  open_all();
  close_in(outer_first());
  EXPECT_LE(moves_, accounts_);
}

// A window that becomes like another joins it, the smaller one the larger.
TEST_F(ManyScopesTest, InnerScopesCloseFirst) {
  open_all();
  std::vector<std::uint64_t> order = outer_first();
  std::reverse(order.begin(), order.end());
  close_in(order);
  EXPECT_LE(moves_, accounts_);
}

TEST_F(ManyScopesTest, ScopesCloseInAnyOrder) {
  open_all();
  std::vector<std::uint64_t> order = outer_first();
  std::shuffle(order.begin(), order.end(), std::mt19937(1));
  close_in(order);
  EXPECT_LE(moves_, accounts_ * static_cast<std::uint64_t>(std::bit_width(accounts_)));
}

// The saved values of scopes that have gone do not stay for ever: a new account of the last two
// has room for two.
TEST_F(ManyScopesTest, ClosedScopesLeaveNoRoomBehind) {
  open_all();
  for (std::uint64_t i = 0; i + 2 < kScopes; i++) close_scope(scopes_[i]);
  program_->at(call(program_->bottom(), "new")).alloc(kScopes, 1);
  EXPECT_EQ(engine.windows[here().window].count, 2u);
  EXPECT_EQ(engine.windows[here().window].width, 2u);
}

}  // namespace
}  // namespace malloc_tracer::capture
