// SPDX-License-Identifier: MIT
// A system that lets nobody write to memory that was made read-only.
#include <dlfcn.h>
#include <link.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "platform/prim.hpp"
#include "recorded.hpp"

namespace {

bool refuses = true;

}  // namespace

// The engine is linked to this program, so it is this function that it calls.
extern "C" int mprotect(void* start, std::size_t bytes, int protection) noexcept {
  if (!refuses) return static_cast<int>(syscall(SYS_mprotect, start, bytes, protection));
  errno = EACCES;
  return -1;
}

namespace {

namespace platform = malloc_tracer::platform;
using recorded::require;
using Allocate = void* (*)(std::size_t);

// Its slots are read-only once it is loaded.
void* open_plugin(const char* path) {
  void* plugin = dlopen(path, RTLD_NOW);
  require(plugin != nullptr, "the plugin is there");
  return plugin;
}
Allocate allocate_of(void* plugin) {
  return reinterpret_cast<Allocate>(dlsym(plugin, "plugin_allocate"));
}

void loader_not_told(const char* path) {
  refuses = false;
  recorded::Scope scope;
  dlclose(open_plugin(path));
  Allocate allocate = allocate_of(open_plugin(path));
  allocate(1000);
  recorded::capture::native::rescan_modules();  // as when another scope opens
  allocate(10);
  scope.end();
  recorded::print(scope.finish());
}

// As if the loader had bound it before it was told.
bool lead_past_us(const platform::Module& module, void* plugin) {
  if (module.base != static_cast<link_map*>(plugin)->l_addr) return true;
  platform::each_slot(
      module,
      [](void** slot, const char* symbol, void* its) {
        if (std::strcmp(symbol, "malloc") != 0) return;
        auto* real = reinterpret_cast<void*>(recorded::capture::native::real.malloc);
        platform::write_slot(*static_cast<const platform::Module*>(its), slot, real);
      },
      const_cast<platform::Module*>(&module));
  return false;
}

void bound_before(const char* path) {
  recorded::Scope scope;
  void* plugin = open_plugin(path);
  platform::each_module(lead_past_us, plugin);
  allocate_of(plugin)(1000);
  scope.end();
  recorded::print(scope.finish());
}

std::uint64_t lost_libraries() {
  for (const auto& [reason, count] : recorded::Scope().finish().lost) {
    if (reason.find("libraries whose calls are missing") == 0) return count;
  }
  return 0;
}

void slots_refused(const char* path) {
  std::uint64_t before = lost_libraries();
  open_plugin(path);
  std::uint64_t first = lost_libraries(), second = lost_libraries();
  require(first == second, "every scope says so");
  std::printf("%lu more\n", second - before);
}

}  // namespace

int main(int count, char** arguments) {
  std::string program = arguments[0], name = count == 2 ? arguments[1] : "";
  std::string path = program.substr(0, program.rfind('/')) + "/libnative_plugin_bound_now.so";
  refuses = name != "bound_before";
  recorded::start();
  if (name == "loader_not_told") loader_not_told(path.c_str());
  if (name == "bound_before") bound_before(path.c_str());
  if (name == "slots_refused") slots_refused(path.c_str());
  return 0;
}
