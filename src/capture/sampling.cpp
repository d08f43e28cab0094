// SPDX-License-Identifier: MIT
#include "capture/sampling.hpp"

#include "capture/accounting.hpp"
#include "platform/prim.hpp"

namespace malloc_tracer::capture {

namespace {

void thin(Scope& scope) noexcept {
  for (std::uint32_t i = 0; i < scope.timeline_count / 2; i++)
    scope.timeline[i] = scope.timeline[2 * i];
  scope.timeline_count /= 2;
}

std::uint64_t live_bytes(const Scope& scope) noexcept {
  std::int64_t live = scope.peak - scope.headroom;
  return live > 0 ? static_cast<std::uint64_t>(live) : 0;
}

void sample_scope(Scope& scope, std::int64_t now_ns) noexcept {
  // Three places are kept for the start, the peak and the end.
  constexpr std::uint32_t kRoom = Engine::kTimelinePoints - 3;
  if (scope.timeline == nullptr) {
    scope.timeline = static_cast<snapshot::TimelinePoint*>(
        engine.pool.allocate(Engine::kTimelinePoints * sizeof(snapshot::TimelinePoint)));
    if (scope.timeline == nullptr) return;
  }
  if (scope.timeline_count >= kRoom) {
    thin(scope);
    engine.sample_interval *= 2;
  }
  if (scope.peak_epoch != scope.timeline_epoch) {
    scope.timeline_epoch = scope.peak_epoch;
    scope.peak_ns = now_ns - scope.began_ns;
  }
  scope.timeline[scope.timeline_count++] = {now_ns - scope.began_ns, live_bytes(scope)};
}

}  // namespace

void sample(Thread& thread, Lane& lane) noexcept {
  thread.until_sample = engine.sample_interval;
  thread.sample_at += thread.until_sample;
  if (!lane.main) return;
  settle(lane);
  std::int64_t now = platform::monotonic_ns();
  memory::SpinGuard guard(engine.intern);
  const Window& window = engine.windows[thread.window];
  for (std::uint32_t i = 0; i < window.count; i++) sample_scope(engine.scopes[window.ids[i]], now);
}

}  // namespace malloc_tracer::capture
