// SPDX-License-Identifier: MIT
// A function outside the list, hooked by its name; and a fork in a scope.
#include <sys/wait.h>
#include <unistd.h>

#include "recorded.hpp"

extern "C" int extra_function(unsigned domain, unsigned long address, unsigned long bytes);

namespace {

using recorded::require;
using Function = int(unsigned, unsigned long, unsigned long);

void* original;
int seen = 0;

int hook(unsigned domain, unsigned long address, unsigned long bytes) {
  seen++;
  return reinterpret_cast<Function*>(original)(domain, address, bytes);
}

// The child's inherited scope is inert; it opens its own.
int in_child() {
  std::malloc(1000);
  recorded::Scope scope;
  std::malloc(17);
  scope.end();
  recorded::print(scope.finish());
  std::fflush(stdout);
  return 0;
}

}  // namespace

int main() {
  namespace native = malloc_tracer::capture::native;
  const native::ExtraFunction extra[] = {
      {"extra_function", reinterpret_cast<void*>(hook), &original},
      {"no_such_function", reinterpret_cast<void*>(hook), &original}};
  void* none = nullptr;
  native::ExtraFunction table[] = {extra[0], {extra[1].symbol, extra[1].hook, &none}};
  malloc_tracer::capture::start_engine();
  require(native::install_native_hooks<malloc_tracer::capture::NoFrames>(table), "installed");
  require(original != nullptr && none == nullptr, "found by name");
  recorded::start();
  require(extra_function(1, 20, 300) == 321 && seen == 0, "no scope: not called");
  {
    recorded::Scope scope;
    require(extra_function(1, 20, 300) == 321 && seen == 1, "scope: called");
    std::malloc(5);
    pid_t child = fork();
    if (child == 0) _exit(in_child());
    int status = -1;
    require(waitpid(child, &status, 0) == child && status == 0, "the child lives");
    std::malloc(6);
    scope.end();
    recorded::print(scope.finish());
  }
  require(extra_function(1, 20, 300) == 321 && seen == 1, "after it: not called");
}
