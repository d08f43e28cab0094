// malloc/free pairs from C++ code that knows nothing of the tracer: a shared library that native.py
// loads with ctypes, so that its calls go through a GOT slot like those of any other library, with
// the GIL released.

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <thread>
#include <vector>

namespace {

constexpr std::size_t kSizes[] = {16, 24, 48, 32, 100, 64, 200, 40, 500, 16, 1000, 80};
constexpr std::size_t kMaxBatch = 256;

// Allocates `batch` blocks, frees them, and so on until `pairs` were done.
void work(std::uint64_t pairs, std::size_t batch) {
  void* blocks[kMaxBatch];
  std::size_t next_size = 0;
  for (std::uint64_t done = 0; done < pairs; done += batch) {
    for (std::size_t i = 0; i < batch; ++i) {
      blocks[i] = std::malloc(kSizes[next_size]);
      next_size = next_size + 1 == std::size(kSizes) ? 0 : next_size + 1;
    }
    for (std::size_t i = 0; i < batch; ++i) {
      std::free(blocks[i]);
    }
  }
}

}  // namespace

// Nanoseconds from the moment all threads start to the moment the last has done its `pairs`; with 0
// threads the caller does them.
extern "C" double run(unsigned threads, std::uint64_t pairs, std::size_t batch) {
  using Clock = std::chrono::steady_clock;
  batch = batch < 1 ? 1 : batch > kMaxBatch ? kMaxBatch : batch;
  if (threads == 0) {
    const auto started = Clock::now();
    work(pairs, batch);
    return std::chrono::duration<double, std::nano>(Clock::now() - started).count();
  }
  std::atomic<unsigned> ready{0};
  std::atomic<bool> go{false};
  std::vector<std::thread> running;
  running.reserve(threads);
  for (unsigned i = 0; i < threads; ++i) {
    running.emplace_back([&] {
      work(batch, batch);  // the thread's first events set up its caches and the tracer's
      ++ready;
      while (!go) {
      }
      work(pairs, batch);
    });
  }
  while (ready != threads) {
    std::this_thread::yield();
  }
  const auto started = Clock::now();
  go = true;
  for (std::thread& thread : running) {
    thread.join();
  }
  return std::chrono::duration<double, std::nano>(Clock::now() - started).count();
}
