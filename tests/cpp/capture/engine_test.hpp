// SPDX-License-Identifier: MIT
#pragma once

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <vector>

#include "capture/manual_frames.hpp"

namespace malloc_tracer::capture::test {

// The thread sanitizer allows no new thread in the child of a process that had several.
#ifdef __SANITIZE_THREAD__
inline constexpr bool kChildMayStartThreads = false;
#else
inline constexpr bool kChildMayStartThreads = true;
#endif

// Starts and ends with an engine that records nothing and has nothing left over.
class EngineTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(start_engine());
    ManualFrames::current = 0;
    ManualFrames::locked = true;
    ManualFrames::own = false;
    ManualFrames::signal = nullptr;
    here();
    expect_idle();
  }
  void TearDown() override {
    for (ScopeRef scope : opened_) close_scope(scope);
    expect_idle();
  }

  static void expect_idle() {
    EXPECT_EQ(engine.open_scopes, 0u);
    EXPECT_EQ(engine.all, kNoWindow);
    EXPECT_EQ(engine.account_top, 1u);
    EXPECT_EQ(engine.giant_count, 0u);
    EXPECT_EQ(engine.journal_count, 0u);
    EXPECT_EQ(engine.window_top - kFirstWindow, engine.free_window_count);
    EXPECT_EQ(engine.scope_top - 1, engine.free_scope_count);
  }

  ScopeRef open(bool all_threads = true) {
    opened_.push_back(open_scope(all_threads));
    EXPECT_NE(opened_.back().id, 0u);
    return opened_.back();
  }
  // A scope that records this thread (and with `all_threads` every other).
  ScopeRef begin(bool all_threads = true) {
    const ScopeRef scope = open(all_threads);
    activate(scope, here(), {});
    return scope;
  }

  // `body` with its expectations in a forked child; true if all held.
  template <class Body>
  static bool in_child(Body body) {
    std::fflush(nullptr);
    const pid_t child = fork();
    if (child == 0) {
      body();
      std::fflush(nullptr);
      _exit(HasFailure() ? 1 : 0);
    }
    int status = 0;
    waitpid(child, &status, 0);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
  }

 private:
  std::vector<ScopeRef> opened_;
};

}  // namespace malloc_tracer::capture::test
