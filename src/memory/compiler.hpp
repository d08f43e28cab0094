// SPDX-License-Identifier: MIT
#pragma once

// Hints for the path of an event, where layout is worth nanoseconds.
#define MT_LIKELY(x) __builtin_expect(!!(x), 1)
#define MT_UNLIKELY(x) __builtin_expect(!!(x), 0)
#define MT_INLINE inline __attribute__((always_inline))
#define MT_NOINLINE __attribute__((noinline))
#define MT_COLD __attribute__((noinline, cold))
