// SPDX-License-Identifier: MIT
#include "capture/cpython/python_frames.hpp"

#include "capture/cpython/code_names.hpp"
#include "capture/cpython/constructor_calls.hpp"
#include "capture/engine.hpp"

namespace malloc_tracer::capture::cpython {

namespace {

// The path of frames[index] = `frame` where it is now, looked up or made.
MT_NOINLINE PathId node_long_way(Thread& thread, std::uint64_t index, Frame* frame) noexcept;

// One marker for all scopes whose own frame this is, before the frame or after it.
PathId with_markers(const Thread& thread, PathId path, const Frame* frame,
                    bool inclusive) noexcept {
  auto each = [&](auto visit) {
    for (std::uint32_t i = 0; i < thread.activation_count; i++) {
      const Activation& activation = thread.activations[i];
      if (activation.frame == frame && activation.inclusive == inclusive &&
          activation.code == code_of(frame))
        visit(activation.scope);
    }
  };
  std::uint32_t count = 0;
  each([&](ScopeId) { count++; });
  if (count == 0) return path;
  PathId marked = engine.tree.marked(
      path, count, [&](ScopeId* scopes) { each([&](ScopeId scope) { *scopes++ = scope; }); });
  if (marked == 0) engine.lose(Lost::kPathTableFull);
  return marked != 0 ? marked : path;
}

// Nothing is cached: the place of a frame holds what no thread state calls its frame, not even one
// that runs nothing.
bool is_empty(const StackCache& stack) noexcept { return stack.frames[stack.top].frame == &stack; }

PathId frame_node(PathId parent, const Frame* frame) noexcept {
  PyCodeObject* code = code_of(frame);
  std::uint32_t id = engine.tree.code_id(
      code, [&](CodeEntry& entry, memory::BlockPool& pool) { describe(code, entry, pool); });
  PathKey key{KeyKind::kFrame, id, instruction_offset(frame)};
  PathId node = id != 0 ? engine.tree.child(parent, key) : 0;
  if (node == 0) engine.lose(Lost::kPathTableFull);
  return node != 0 ? node : parent;
}

// What a frame below it adds to the path; kept in the node cache, where an incomplete frame maps to
// its parent, so that a hit needs no other test.
PathId plain_node(StackCache& stack, PathId parent, const Frame* frame) noexcept {
  std::uint64_t address = instruction_of(frame);
  PathId below = parent & ~kLoweredMark;
  PathId node = is_incomplete(frame) ? below : frame_node(below, frame);
  if (may_cache(frame, parent))
    stack.cache[node_cache_index(address, parent)] = NodeCacheEntry{address, parent, node};
  return node;
}

PathId parent_of(const Thread& thread, std::uint64_t index) noexcept {
  return index != 0 ? thread.stack.paths[index - 1].node : thread.root;
}

// A scope's own frame: its node must be made the long way each time if a marker follows it.
MT_COLD void put_scope_frame(Thread& thread, std::uint64_t index, Frame* frame) noexcept {
  StackCache& stack = thread.stack;
  PathId before = with_markers(thread, parent_of(thread, index), frame, true);
  PathId node = plain_node(stack, before, frame);
  PathId after = with_markers(thread, node, frame, false);
  stack.frames[index].address = instruction_of(frame);
  stack.paths[index] = PathEntry{after, after != node ? 0 : before, 0, 0};
}

// Puts a frame that was not there, or in its place.
MT_INLINE void put_frame(Thread& thread, std::uint64_t index, Frame* frame) noexcept {
  StackCache& stack = thread.stack;
  stack.frames[index].frame = frame;
  if (MT_UNLIKELY(owns_scope(thread, frame))) {
    put_scope_frame(thread, index, frame);
  } else {
    std::uint64_t address = instruction_of(frame);
    PathEntry& path = stack.paths[index];
    PathId parent = parent_of(thread, index);
    if (MT_UNLIKELY(index >= stack.known) || MT_UNLIKELY(path.parent != parent)) {
      PathId node = cached_node(stack, parent, address);
      if (MT_UNLIKELY(node == 0)) node = plain_node(stack, parent, frame);
      stack.frames[index].address = address;
      path = PathEntry{node, parent, 0, 0};
    } else if (stack.frames[index].address != address &&
               MT_UNLIKELY(other_node(stack, index, address) == 0)) {
      stack.frames[index].address = address;
      path.node = plain_node(stack, parent, frame);
    }
  }
  if (MT_UNLIKELY(index >= stack.known)) stack.known = index + 1;
}

// The frame is where it was in the stack, at another instruction.
MT_INLINE void move_frame(Thread& thread, std::uint64_t index, Frame* frame) noexcept {
  StackCache& stack = thread.stack;
  std::uint64_t address = instruction_of(frame);
  if (address == stack.frames[index].address || MT_LIKELY(other_node(stack, index, address) != 0))
    return;
  stack.frames[index].address = address;
  stack.paths[index].node = node_long_way(thread, index, frame);
}

// The walk ends here: the frame of the outermost scope.
bool is_stop(const Thread& thread, const Frame* frame) noexcept {
  return frame == thread.stack.stop && thread.activations[0].code == code_of(frame);
}

MT_NOINLINE PathId node_long_way(Thread& thread, std::uint64_t index, Frame* frame) noexcept {
  StackCache& stack = thread.stack;
  if (stack.paths[index].parent != 0) return plain_node(stack, stack.paths[index].parent, frame);
  PathId before = with_markers(thread, parent_of(thread, index), frame, true);
  return with_markers(thread, plain_node(stack, before, frame), frame, false);
}

// The path will lack frames: the outermost, or those above the newest barrier. What allocates is in
// it, so lines keep their numbers.
MT_COLD void cut(StackCache& stack) noexcept {
  engine.lose(Lost::kStackCut);
  stack.cut = true;
}

// Keeps what is equal from the base (or the newest live barrier) up and rebuilds the rest.
MT_NOINLINE PathId walk_all(Thread& thread, PyThreadState* state, Frame* top) noexcept {
  StackCache& stack = thread.stack;
  auto** seen = const_cast<Frame**>(reinterpret_cast<const Frame**>(stack.scratch.data()));
  auto* barrier =
      stack.barrier_count != 0 ? static_cast<const Frame*>(stack.frames[stack.bar].frame) : nullptr;
  std::uint64_t count = 0;
  bool at_barrier = false;
  for (Frame* frame = top; frame != nullptr; frame = frame->previous) {
    if (count == stack.scratch.capacity()) {
      cut(stack);
      break;
    }
    seen[count++] = frame;
    at_barrier = frame == barrier;
    if (at_barrier || is_stop(thread, frame)) break;
  }
  std::uint64_t index = 0, base = 0;
  bool cached = !is_empty(stack);
  if (at_barrier) {
    base = index = stack.bar;
  } else {
    stack.root_link = seen[count - 1]->previous;
    no_barrier(stack);
  }
  std::uint64_t total = base + count;
  auto frame_at = [&](std::uint64_t i) { return seen[total - 1 - i]; };
  if (total > stack.frame_pages.capacity()) {
    cut(stack);
    total = stack.frame_pages.capacity();
  }
  while (cached && index < total && index <= stack.top &&
         stack.frames[index].frame == frame_at(index) &&
         stack.frames[index].address == instruction_of(frame_at(index))) {
    look_for_barrier(thread, index, frame_at(index));
    index++;
  }
  for (; index < total; index++) {
    put_frame(thread, index, frame_at(index));
    look_for_barrier(thread, index, frame_at(index));
  }
  return now_at(thread, state, total - 1);
}

// Frames of one data stack lie in address order, so the search can go downwards; generators' frames
// lie elsewhere: a few more are looked at.
bool find_cached(const StackCache& stack, const Frame* frame, std::uint64_t& index) noexcept {
  std::uint64_t i = stack.top;
  while (i > stack.bar && stack.frames[i].frame > frame) i--;
  if (stack.frames[i].frame != frame) {
    i = stack.top;
    std::uint64_t least = i > stack.bar + 3 ? i - 3 : stack.bar;
    while (i > least && stack.frames[i].frame != frame) i--;
  }
  index = i;
  return stack.frames[i].frame == frame;
}

// Some frames are new, if the cache is not empty.
MT_NOINLINE PathId walk_some(Thread& thread, PyThreadState* state, Frame* top) noexcept {
  constexpr int kFew = 16;
  StackCache& stack = thread.stack;
  if (is_empty(stack)) return walk_all(thread, state, top);
  Frame* fresh[kFew];
  int count = 0;
  for (Frame* frame = top; frame != nullptr && count < kFew; frame = frame->previous) {
    std::uint64_t index;
    if (find_cached(stack, frame, index)) {
      if (!verify(stack, stack.frames + index) ||
          index + static_cast<std::uint64_t>(count) >= stack.frame_pages.capacity())
        break;
      move_frame(thread, index, frame);
      while (count != 0) {
        put_frame(thread, ++index, fresh[--count]);
        look_for_barrier(thread, index, fresh[count]);
      }
      return now_at(thread, state, index);
    }
    if (is_stop(thread, frame)) break;
    fresh[count++] = frame;
  }
  return walk_all(thread, state, top);
}

// The stack has changed since the last event, and not by one known call more.
MT_INLINE PathId walk(Thread& thread, PyThreadState* state, Frame* top) noexcept {
  StackCache& stack = thread.stack;
  if (!barrier_stands(stack)) drop_dead_barriers(stack, thread.allocations());
  return walk_some(thread, state, top);
}

}  // namespace

PathId walked_path(Thread& thread, PyThreadState* state) noexcept {
  if (state == nullptr) return thread.root;  // a thread that Python does not know
  meet_state(thread, state);
  Frame* top = top_frame(state);
  return top != nullptr ? walk(thread, state, top) : thread.root;
}

void meet_state(Thread& thread, PyThreadState* state) noexcept {
  StackCache& stack = thread.stack;
  if (stack.thread_state == state) return;
  forget_stack(thread);
  stack.thread_state = state;
  thread.foreign = is_foreign(state);
  thread.main_state = thread.foreign ? static_cast<const void*>(&thread) : state;
  thread.lane[1] = thread.foreign ? thread.lane[0] : &engine.main;
}

void forget_stack(Thread& thread) noexcept {
  StackCache& stack = thread.stack;
  // Of the thread state too: another may be made at the same address.
  stack.thread_state = &stack;
  thread.main_state = &thread;
  stack.known = 0;
  stack.cut = false;
  stack.frames[0] = FrameEntry{&stack, 0};
  stack.set_top(0);
  no_barrier(stack);
  std::uint64_t epoch = engine.code_epoch.load(std::memory_order_relaxed);
  if (thread.code_epoch == epoch) return;
  stack.cache_pages.clear(stack.cache_pages.capacity());
  thread.code_epoch = epoch;
}

namespace {

// A walk from scratch at every event of a deep recursion would take the square of its depth. So
// above kDeep frames most walks end kInner frames down, at what is known of the path there, and
// only every so many go to the end that a walk is kInner frames long on average.
constexpr std::uint64_t kDeep = 2'000, kInner = 200;

bool may_end_early(const StackCache& stack) noexcept {
  return stack.top > kDeep && checks.paths % (stack.top / kInner) != 0;
}

}  // namespace

PathId checked_path(Thread& thread, const PyThreadState* state, PathId got) noexcept {
  // Never while the cache may be out of date: then the event goes the long way and asks again.
  StackCache& stack = thread.stack;
  if (state == nullptr || top_frame(state) == nullptr || thread.window < kFirstWindow || stack.cut)
    return got;
  auto** seen = const_cast<Frame**>(reinterpret_cast<const Frame**>(stack.scratch.data()));
  std::uint64_t count = 0;
  PathId path = thread.root;
  bool early = may_end_early(stack);
  for (Frame* frame = top_frame(state); frame != nullptr && count < stack.scratch.capacity();
       frame = frame->previous) {
    if (early && count == kInner) {
      std::uint64_t index = stack.top - kInner;
      if (stack.frames[index].frame != frame) __builtin_trap();
      path = stack.paths[index].node;
      break;
    }
    seen[count++] = frame;
    if (is_stop(thread, frame)) break;
  }
  while (count != 0) {
    const Frame* frame = seen[--count];
    path = with_markers(thread, path, frame, true);
    if (!is_incomplete(frame)) path = frame_node(path, frame);
    path = with_markers(thread, path, frame, false);
  }
  checks.paths++;
  if (path != got) __builtin_trap();
  return path;
}

}  // namespace malloc_tracer::capture::cpython
