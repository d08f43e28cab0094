// SPDX-License-Identifier: MIT
#pragma once

#include "capture/engine.hpp"

// The timeline: every so many events of a thread, one point {time, live bytes} for each scope that
// records it. A full timeline is thinned to every second point and the interval doubles, so points
// stay even and the cost stays below a nanosecond an event. Hook safe.
namespace malloc_tracer::capture {

// One point for each scope of the thread's window; threads with a lane of their own leave it to the
// others. Requires: the thread is busy.
void sample(Thread& thread, Lane& lane) noexcept;

// Looks up the thread's window and where its stack walks may stop. Takes `intern`.
void refresh_window(Thread& thread) noexcept;

}  // namespace malloc_tracer::capture
