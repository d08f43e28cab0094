// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <thread>

// As many threads as a stress test starts: four for each processor, so that they are interrupted
// anywhere.
inline const int kManyThreads =
    4 * static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
