// SPDX-License-Identifier: MIT
#include "capture/native/native_hooks.hpp"

#include <atomic>
#include <cerrno>

#include "capture/native/got_patcher.hpp"
#include "capture/native/mappings.hpp"
#include "capture/native/stubs.hpp"
#include "capture/world.hpp"
#include "memory/spin_lock.hpp"
#include "platform/prim.hpp"

namespace malloc_tracer::capture::native {

constinit Functions real{};

extern "C" {
constinit Functions mt_native_active{};
constinit Functions mt_native_recording{};
extern void* mt_native_real_dlopen __attribute__((visibility("hidden")));
}

namespace {

constinit FunctionName names[kFunctionCount] = {
#define MT_HOOKED(group, name, symbol, result, ...) {symbol, Group::group},
#include "capture/native/hooked_functions.def"
#undef MT_HOOKED
};

// What the loader binds leads to our stubs from the start (redirect_real_functions), where the
// system lets us write that down and the loader had not begun before. For the rest:
// after a dlopen by a thread all hooked calls look for new modules, until that thread has made
// kLooks of them: the first few may come before the loader has anything to show (it frees an old
// error message), or from the new module's constructors.
//
//   thread: looks = epoch : 24 | looks left : 8        lookers = threads with looks left in this
//   epoch
constexpr std::uint32_t kLooks = 64;
constexpr std::uint32_t kPatience =
    1'000'000;  // looks of others, until a thread that never comes back is given up

constinit thread_local std::uint32_t looks __attribute__((tls_model("initial-exec"))) = 0;

struct Switch {
  memory::SpinLock lock;
  bool installed = false;
  bool recording = false;
  std::uint32_t lookers = 0;
  std::uint32_t epoch = 1;
  std::uint32_t looks_of_others = 0;
};

constinit Switch state;

void* const* chosen_table() noexcept {
  return entries(state.recording ? mt_native_recording : real);
}

// Requires: the lock. Entry by entry; see functions.hpp for why a mixed table does no harm.
void choose_table() noexcept {
  bool looking = state.recording && state.lookers != 0;
  for (int i = 0; i < kFunctionCount; i++) {
    void* function = looking ? look_stub_of(i) : chosen_table()[i];
    __atomic_store_n(&entries(mt_native_active)[i], function, __ATOMIC_RELAXED);
  }
}

// The calling thread inside, and errno as it was, while this lives.
class Aside {
 public:
  explicit Aside(Thread& thread) noexcept : thread_(thread) { thread_.inside++; }
  ~Aside() {
    thread_.inside--;
    errno = error_;
  }
  Aside(const Aside&) = delete;
  Aside& operator=(const Aside&) = delete;

 private:
  Thread& thread_;
  int error_ = errno;
};

bool is_looking() noexcept { return looks >> 8 == state.epoch && (looks & 0xff) != 0; }

void count_look() noexcept {
  memory::SpinGuard guard(state.lock);
  if (is_looking()) {
    looks--;
    if (is_looking() || --state.lookers != 0) return;
  } else {
    if (++state.looks_of_others < kPatience) return;
    state.epoch = (state.epoch + 1) & 0xffffff;
    state.lookers = 0;
  }
  choose_table();
}

}  // namespace

extern "C" void mt_native_look() noexcept {
  Thread& thread = here();
  if (thread.inside != 0 || thread.busy.load(std::memory_order_relaxed) != 0) return;
  Aside aside(thread);
  patch_new_modules();
  count_look();
}

extern "C" void mt_native_note_dlopen() noexcept {
  Thread& thread = here();
  Aside aside(thread);
  memory::SpinGuard guard(state.lock);
  if (!is_looking()) state.lookers++;
  looks = state.epoch << 8 | kLooks;
  state.looks_of_others = 0;
  choose_table();
}

namespace {

void after_fork_in_child() {
  state.lock.reset();
  mappings.reset_lock();
  patcher_after_fork();
}

}  // namespace

bool install_hooks(const Functions& hooks, std::span<const ExtraFunction> extra) noexcept {
  if (state.installed) return true;
  if (extra.size() > kMaxExtraFunctions) return false;
  mt_native_recording = hooks;
  for (std::size_t i = 0; i < extra.size(); i++) {
    names[kFirstExtraFunction + i] = FunctionName{extra[i].symbol, Group::kExtra};
    mt_native_recording.extra[i] = extra[i].hook;
  }
  if (!find_real_functions(names) || !mappings.start()) return false;
  for (std::size_t i = 0; i < extra.size(); i++) *extra[i].original = real.extra[i];
  for (int i = 0; i < kFunctionCount; i++) {
    void*& hook = entries(mt_native_recording)[i];
    if (hook == nullptr) hook = entries(real)[i];
  }
  platform::at_fork(after_fork_in_child);
  mt_native_real_dlopen = reinterpret_cast<void*>(real.dlopen);
  mt_native_active = real;
  state.installed = true;
  redirect_real_functions();
  rescan_modules();
  return true;
}

void set_native_recording(bool on) noexcept {
  if (!state.installed) return;
  memory::SpinGuard guard(state.lock);
  state.recording = on;
  choose_table();
}

void rescan_modules() noexcept {
  if (!state.installed) return;
  Thread& thread = here();
  Aside aside(thread);
  patch_new_modules();
}

}  // namespace malloc_tracer::capture::native
