// SPDX-License-Identifier: MIT
#pragma once

#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdio>
#include <cstdlib>
#include <string>

// A sanitizer brings its own allocator, strdup, dlopen and pthread_create: the numbers are its,
// too.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = false;
#endif
#define SKIP_IF_SANITIZED() \
  if (kSanitized) GTEST_SKIP() << "a sanitizer stands in for the C library here"

// In an emulator of the processor the kernel's part is played by it.
inline constexpr bool kEmulated = sizeof MALLOC_TRACER_RUN_PROGRAM > 1;

// Runs one case of a program of tests/programs/native and gives what it printed, its errors
// included; under the command in MALLOC_TRACER_TEST_UNDER, if there is one (Valgrind: see
// scripts/test), whose complaints are output too.
inline std::string output_of(const std::string& program, const std::string& name,
                             const std::string& preload = "") {
  std::string environment = "ASAN_OPTIONS=detect_leaks=0 ";  // the programs keep blocks on purpose
  if (!preload.empty()) environment += "LD_PRELOAD=" + preload + " ";
  if (const char* under = std::getenv("MALLOC_TRACER_TEST_UNDER"))
    environment += std::string(under) + " ";
  std::string command = environment +
                        MALLOC_TRACER_RUN_PROGRAM " " MALLOC_TRACER_TEST_PROGRAMS "/" + program +
                        " " + name + " 2>&1";
  FILE* pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) return "not started";
  std::string output;
  char buffer[4096];
  while (std::size_t got = std::fread(buffer, 1, sizeof buffer, pipe)) output.append(buffer, got);
  int status = pclose(pipe);
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
    output += "status " + std::to_string(status) + "\n";
  return output;
}
