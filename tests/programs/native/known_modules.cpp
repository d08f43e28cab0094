// SPDX-License-Identifier: MIT
// Libraries that come and go while a scope is open.
#include <dlfcn.h>
#include <link.h>
#include <pthread.h>

#include <climits>

#include "recorded.hpp"

namespace {

using recorded::require;

using Open = void* (*)(const char*);
using Allocate = void* (*)(std::size_t);
using Free = void (*)(void*);
using IsInArena = bool (*)(const void*);

std::string folder;
Open caller_open;

template <class Function>
Function find(void* library, const char* name) {
  auto function = reinterpret_cast<Function>(dlsym(library, name));
  require(function != nullptr, name);
  return function;
}

void* open_here(const char* name, int mode = RTLD_NOW | RTLD_LOCAL,
                Lmid_t name_space = LM_ID_BASE) {
  char path[PATH_MAX];
  std::snprintf(path, sizeof path, "%s/%s", folder.c_str(), name);
  void* library = dlmopen(name_space, path, mode);
  require(library != nullptr, path);
  return library;
}

// Only the RUNPATH of the library that calls dlopen leads to the plugin.
void opened_in_scope() {
  void* plugin = caller_open("libnative_plugin.so");
  require(plugin != nullptr, "the caller's RUNPATH is used");
  void* p = find<Allocate>(plugin, "plugin_allocate")(1000);
  find<Free>(plugin, "plugin_free")(p);
  find<void* (*)()>(plugin, "plugin_new")();
}

// Two libraries of the same layout take turns at the same address.
void addresses_reused() {
  int reused = 0;
  std::uintptr_t before = 0;
  for (int i = 0; i < 50; i++) {
    void* plugin = caller_open(i % 2 == 0 ? "libnative_plugin.so" : "libnative_plugin_twin.so");
    require(plugin != nullptr, "dlopen");
    reused += reinterpret_cast<link_map*>(plugin)->l_addr == before;
    before = reinterpret_cast<link_map*>(plugin)->l_addr;
    find<Allocate>(plugin, "plugin_allocate")(10);
    require(dlclose(plugin) == 0, "dlclose");
  }
  require(reused > 0, "the loader reuses addresses");
}

// (An error's record is the program's own, so main has made one before.)
void nothing_found() {
  for (int i = 0; i < 3; i++)
    require(dlopen("libno_such_library.so", RTLD_NOW) == nullptr, "dlopen fails");
}

void own_allocator() {
  void* library = open_here("libnative_own_malloc.so");
  void* p = find<Allocate>(library, "own_allocate")(100);
  void* q = find<Allocate>(library, "own_allocate_through_pointer")(100);
  auto is_in_arena = find<IsInArena>(library, "own_is_in_arena");
  require(is_in_arena(p) && is_in_arena(q), "the library keeps its allocator");
}

// Nobody can look between its being loaded and its constructor.
void with_constructors() {
  for (const char* name : {"libnative_constructor.so", "libnative_constructor_bound_late.so"})
    require(dlclose(open_here(name)) == 0, "dlclose");
}

// It looks for names in itself and what it needs, before the program.
void bound_to_its_own() {
  void* plugin = open_here("libnative_plugin_bound_now.so", RTLD_NOW | RTLD_DEEPBIND);
  find<Free>(plugin, "plugin_free")(find<Allocate>(plugin, "plugin_allocate")(1000));
}

// With a C library of its own.
void another_namespace() {
  void* plugin = open_here("libnative_plugin_bound_now.so", RTLD_NOW, LM_ID_NEWLM);
  find<Allocate>(plugin, "plugin_allocate")(1000);
}

void found_by_name() {
  auto allocate = find<Allocate>(RTLD_DEFAULT, "malloc");
  find<Free>(RTLD_DEFAULT, "free")(allocate(12));
}

void many_calls_after() {
  void* plugin = caller_open("libnative_plugin.so");
  auto allocate = find<Allocate>(plugin, "plugin_allocate");
  auto release = find<Free>(plugin, "plugin_free");
  for (int i = 0; i < 1000; i++) release(allocate(10));
  for (int i = 0; i < 1000; i++) std::free(std::malloc(10));
}

void* open_and_close(void* name) {
  for (int i = 0; i < 200; i++) {
    void* plugin = caller_open(static_cast<const char*>(name));
    auto allocate = find<Allocate>(plugin, "plugin_allocate");
    auto release = find<Free>(plugin, "plugin_free");
    for (int k = 0; k < 5; k++) release(allocate(24));
    dlclose(plugin);
  }
  return nullptr;
}
void* only_allocate(void*) {
  for (int i = 0; i < 100'000; i++) std::free(std::malloc(32));
  return nullptr;
}

// Libraries are half loaded in one thread while another looks for new ones.
void opened_by_threads() {
  static char plugin[] = "libnative_plugin.so", twin[] = "libnative_plugin_twin.so";
  pthread_t threads[5];
  pthread_create(&threads[0], nullptr, open_and_close, plugin);
  pthread_create(&threads[1], nullptr, open_and_close, twin);
  pthread_create(&threads[2], nullptr, open_and_close, plugin);
  pthread_create(&threads[3], nullptr, only_allocate, nullptr);
  pthread_create(&threads[4], nullptr, only_allocate, nullptr);
  for (pthread_t thread : threads) pthread_join(thread, nullptr);
}

// Opened between two scopes: the next scope looks.
void opened_before() {
  void* plugin = caller_open("libnative_plugin.so");
  auto allocate = find<Allocate>(plugin, "plugin_allocate");
  recorded::Scope scope;
  allocate(10);
  scope.end();
  recorded::print(scope.finish());
}

}  // namespace

int main(int count, char** arguments) {
  folder = arguments[0];
  folder = folder.substr(0, folder.rfind('/'));
  caller_open = find<Open>(open_here("libnative_caller.so"), "caller_open");
  dlopen("libno_such_library.so", RTLD_NOW);
  if (count == 2 && std::string(arguments[1]) == "opened_before") {
    recorded::start();
    opened_before();
    return 0;
  }
  return recorded::run(count, arguments,
                       {{"opened_in_scope", opened_in_scope},
                        {"addresses_reused", addresses_reused},
                        {"nothing_found", nothing_found},
                        {"own_allocator", own_allocator},
                        {"with_constructors", with_constructors},
                        {"bound_to_its_own", bound_to_its_own},
                        {"another_namespace", another_namespace},
                        {"found_by_name", found_by_name},
                        {"opened_by_threads", opened_by_threads},
                        {"many_calls_after", many_calls_after}});
}
