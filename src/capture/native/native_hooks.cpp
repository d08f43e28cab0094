// SPDX-License-Identifier: MIT
#include "capture/native/native_hooks.hpp"

#include "capture/engine.hpp"
#include "capture/native/got_patcher.hpp"
#include "capture/native/mappings.hpp"
#include "capture/native/stubs.hpp"
#include "platform/prim.hpp"

namespace malloc_tracer::capture::native {

constinit Functions real{};

extern "C" {
constinit Functions mt_native_active{};
}

namespace {

constinit FunctionName names[kFunctionCount] = {
#define MT_HOOKED(group, name, symbol, result, ...) {symbol, Group::group},
#include "capture/native/hooked_functions.def"
#undef MT_HOOKED
};

constinit Functions recording{};  // the hooks, and the real functions where there is none
constinit bool installed = false;

void after_fork_in_child() {
  mappings.reset_lock();
  patcher_after_fork();
}

void set_lost(Lost reason, std::uint64_t count) noexcept {
  engine.lost[static_cast<std::uint32_t>(reason)].store(count, std::memory_order_relaxed);
}

}  // namespace

bool install_hooks(const Functions& hooks, std::span<const ExtraFunction> extra) noexcept {
  if (installed) return true;
  if (extra.size() > kMaxExtraFunctions) return false;
  recording = hooks;
  for (std::size_t i = 0; i < extra.size(); i++) {
    names[kFirstExtraFunction + i] = FunctionName{extra[i].symbol, Group::kExtra};
    recording.extra[i] = extra[i].hook;
  }
  if (!find_real_functions(names) || !mappings.start()) return false;
  for (std::size_t i = 0; i < extra.size(); i++) *extra[i].original = real.extra[i];
  for (int i = 0; i < kFunctionCount; i++) {
    void*& hook = entries(recording)[i];
    if (hook == nullptr) hook = entries(real)[i];
  }
  platform::at_fork(after_fork_in_child);
  mt_native_active = real;
  installed = true;
  redirect_real_functions();
  rescan_modules();
  return true;
}

// Entry by entry; see functions.hpp for why a mixed table does no harm.
void set_native_recording(bool on) noexcept {
  if (!installed) return;
  void* const* table = entries(on ? recording : real);
  for (int i = 0; i < kFunctionCount; i++)
    __atomic_store_n(&entries(mt_native_active)[i], table[i], __ATOMIC_RELAXED);
}

void rescan_modules() noexcept {
  if (!installed) return;
  patch_new_modules();
  UnseenModules unseen = unseen_modules();
  set_lost(Lost::kLoaderNotTold, unseen.late);
  set_lost(Lost::kSlotsRefused, unseen.refused);
}

}  // namespace malloc_tracer::capture::native
