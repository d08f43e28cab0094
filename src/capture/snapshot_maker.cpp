// SPDX-License-Identifier: MIT
//
// From the engine's tables to plain data. The only file of capture/ that uses allocating
// containers: it runs when the program asks for a result, with the world stopped and this thread
// in, so that its hooks pass through.
#include <algorithm>
#include <unordered_map>

#include "capture/accounting.hpp"
#include "capture/scopes.hpp"
#include "capture/windows.hpp"
#include "capture/world.hpp"
#include "platform/prim.hpp"

namespace malloc_tracer::capture {

namespace {

using snapshot::Counters;
using snapshot::Snapshot;
using snapshot::SnapshotCode;
using snapshot::SnapshotNode;
using snapshot::SnapshotRow;

std::uint32_t code_point(const CopiedText& text, std::uint32_t i) {
  switch (text.width) {
    case 1:
      return static_cast<const std::uint8_t*>(text.data)[i];
    case 2:
      return static_cast<const std::uint16_t*>(text.data)[i];
    default:
      return static_cast<const std::uint32_t*>(text.data)[i];
  }
}

void append_utf8(std::string& out, std::uint32_t c) {
  auto byte = [&](std::uint32_t b) { out.push_back(static_cast<char>(b)); };
  if (c >= 0xdc80 && c <= 0xdcff)
    return byte(c - 0xdc00);  // surrogateescape: a byte that was no UTF-8 to begin with
  if (c < 0x80) return byte(c);
  if (c < 0x800) {
    byte(0xc0 | c >> 6);
  } else {
    if (c < 0x10000) {
      byte(0xe0 | c >> 12);
    } else {
      byte(0xf0 | c >> 18);
      byte(0x80 | (c >> 12 & 0x3f));
    }
    byte(0x80 | (c >> 6 & 0x3f));
  }
  byte(0x80 | (c & 0x3f));
}

std::string utf8(const CopiedText& text) {
  std::string out;
  out.reserve(text.length);
  for (std::uint32_t i = 0; i < text.length; i++) append_utf8(out, code_point(text, i));
  return out;
}

std::string bytes(const CopiedText& text) {
  return {static_cast<const char*>(text.data), text.length};
}

class Maker {
 public:
  explicit Maker(ScopeId scope) : scope_(scope) {
    out_.nodes.emplace_back();
    out_.block_sizes.resize(SizeCounts::kWidths);
  }

  Snapshot make() {
    settle_all_lanes();
    for (WindowId window = kFirstWindow; window < engine.window_top; window++) {
      if (!window_has(window, scope_)) continue;
      add_window(window);
      add_sizes(window);
    }
    add_journal();
    if (engine.lane_count != 0) lift_peak();
    add_rest();
    return std::move(out_);
  }

 private:
  struct Spot {
    std::uint32_t node, thread;
  };

  void add_window(WindowId window) {
    std::uint32_t rank = window_rank(window, scope_);
    for (std::uint32_t id = engine.windows[window].first_account; id != 0;
         id = engine.infos[id].next) {
      add_row(engine.infos[id].place, counters(id, window, rank));
    }
  }

  void add_sizes(WindowId window) {
    engine.each_lane([&](const Lane& lane) {
      for (int width = 0; width < SizeCounts::kWidths; width++)
        out_.block_sizes[width] += lane.size_pages[window].of_width[width];
    });
  }

  // The sum over all lanes. A lane's own share may be negative (it frees what others allocated);
  // the sum is not.
  static Counters counters(std::uint32_t id, WindowId window, std::uint32_t rank) {
    Counters sum;
    engine.each_lane([&](const Lane& lane) {
      const Account& a = lane.accounts[id];
      Saved saved = saved_value(lane, id, window, rank);
      sum +=
          Counters{.live_bytes = a.live_bytes(),
                   .live_count = a.allocated_count - a.freed_count,
                   .peak_bytes = saved.bytes,
                   .peak_count = static_cast<std::uint64_t>(static_cast<std::int32_t>(saved.count)),
                   .allocated_bytes = a.allocated_bytes,
                   .allocated_count = a.allocated_count,
                   .freed_bytes = a.freed_bytes,
                   .freed_count = a.freed_count,
                   .temporary_count = a.temporary_count,
                   .reallocated_count = lane.details[id].reallocated + saved.reallocated};
    });
    if (engine.lane_count != 0) {
      auto clamp = [](std::uint64_t share, std::uint64_t most) {
        return static_cast<std::int64_t>(share) < 0 ? 0 : std::min(share, most);
      };
      sum.peak_bytes = clamp(sum.peak_bytes, sum.allocated_bytes);
      sum.peak_count = clamp(sum.peak_count, sum.allocated_count);
    }
    return sum;
  }

  void add_row(PlaceId place, const Counters& counters) {
    if (counters == Counters{}) return;
    Spot spot = spot_of(path_of(place));
    snapshot::Allocator allocator = allocator_of(place);
    out_.rows.push_back(SnapshotRow{spot.node, spot.thread, allocator, counters});
  }

  // Frees after the scope's last return are undone by rows that subtract (all sums are modulo
  // 2^64).
  void add_journal() {
    const Scope& scope = engine.scopes[scope_];
    if (!scope.ended) return;
    std::unordered_map<PlaceId, Counters> undone;
    for (std::uint32_t i = scope.journal_from; i < engine.journal_count; i++) {
      const JournalEntry& entry = engine.journal[i];
      if (entry.scope != scope_) continue;
      Counters& c = undone[entry.place];
      c.live_bytes += entry.bytes;
      c.live_count += entry.blocks;
      c.freed_bytes -= entry.bytes;
      c.freed_count -= entry.blocks;
      c.temporary_count -= entry.temporary ? 1 : 0;
    }
    for (const auto& [place, counters] : undone) add_row(place, counters);
  }

  // With several lanes the shares may come from slightly different moments; the end is a moment
  // too.
  void lift_peak() {
    Counters sum;
    for (const SnapshotRow& row : out_.rows) sum += row.counters;
    if (sum.live_bytes <= sum.peak_bytes) return;
    for (SnapshotRow& row : out_.rows) {
      row.counters.peak_bytes = row.counters.live_bytes;
      row.counters.peak_count = row.counters.live_count;
    }
  }

  // The marker of other scopes changes nothing here.
  bool is_foreign_marker(const PathNode& node) const {
    bool marker = node.kind() == KeyKind::kMarker || node.kind() == KeyKind::kMarkerOfSet;
    return marker && !engine.tree.marks(node, scope_);
  }

  // The node of a path, cut at this scope's marker; all its ancestors get theirs on the way.
  Spot spot_of(PathId path) {
    std::vector<PathId> climb;
    auto known = spots_.end();
    for (PathId p = path; p != 0; p = engine.tree.node(p).parent) {
      if (is_foreign_marker(engine.tree.node(p))) continue;
      known = spots_.find(p);
      if (known != spots_.end()) break;
      climb.push_back(p);
    }
    Spot spot = known != spots_.end() ? known->second : Spot{0, 0};
    for (; !climb.empty(); climb.pop_back())
      spots_.emplace(climb.back(), spot = below(spot, engine.tree.node(climb.back())));
    return spot;
  }

  Spot below(Spot parent, const PathNode& node) {
    switch (node.kind()) {
      case KeyKind::kThread:
        return Spot{0, thread_index(node.id())};
      case KeyKind::kMarker:
      case KeyKind::kMarkerOfSet:
        return Spot{0, parent.thread};
      case KeyKind::kFrame:
        break;
    }
    out_.nodes.push_back(SnapshotNode{parent.node, code_index(node.id()), node.offset()});
    return Spot{static_cast<std::uint32_t>(out_.nodes.size() - 1), parent.thread};
  }

  std::uint32_t thread_index(std::uint32_t serial) {
    auto [there, fresh] =
        threads_.try_emplace(serial, static_cast<std::uint32_t>(out_.threads.size()));
    if (fresh) out_.threads.push_back({engine.labels[serial].id, engine.labels[serial].name});
    return there->second;
  }

  std::uint32_t code_index(std::uint32_t id) {
    auto [there, fresh] = codes_.try_emplace(id, static_cast<std::uint32_t>(out_.codes.size()));
    if (fresh) {
      const CodeEntry& code = engine.tree.code(id);
      out_.codes.push_back(SnapshotCode{utf8(code.function), utf8(code.file), code.first_line,
                                        bytes(code.line_table)});
    }
    return there->second;
  }

  void add_rest() {
    const Scope& scope = engine.scopes[scope_];
    std::int64_t end = scope.activations != 0 ? platform::monotonic_ns() : scope.paused_ns;
    out_.duration_ns = scope.began_ns != 0 ? end - scope.began_ns : 0;
    for (std::uint32_t i = 0; i < kLostReasons; i++) {
      std::uint64_t count = engine.lost[i].load(std::memory_order_relaxed) - scope.lost_before[i];
      if (count != 0) out_.lost.emplace_back(lost_text(static_cast<Lost>(i)), count);
    }
    add_timeline(scope);
  }

  // The start, the samples, the peak where a sample first saw it, and the end.
  void add_timeline(const Scope& scope) {
    std::int64_t now_ns = out_.duration_ns;
    Counters sum;
    for (const SnapshotRow& row : out_.rows) sum += row.counters;
    std::int64_t peak_ns = scope.timeline_epoch == scope.peak_epoch ? scope.peak_ns : now_ns;
    bool peak_seen = false;
    auto add = [&](std::int64_t ns, std::uint64_t live) {
      live = std::min(live,
                      sum.peak_bytes);  // with several lanes the peak's shares may be a little low
      peak_seen = peak_seen || live == sum.peak_bytes;
      out_.timeline.push_back({ns, live});
    };
    add(0, 0);
    for (std::uint32_t i = 0; i < scope.timeline_count; i++) {
      if (!peak_seen && scope.timeline[i].ns >= peak_ns) add(peak_ns, sum.peak_bytes);
      add(scope.timeline[i].ns, scope.timeline[i].live_bytes);
    }
    if (!peak_seen && sum.live_bytes != sum.peak_bytes) add(peak_ns, sum.peak_bytes);
    add(now_ns, sum.live_bytes);
  }

  ScopeId scope_;
  Snapshot out_;
  std::unordered_map<PathId, Spot> spots_;
  std::unordered_map<std::uint32_t, std::uint32_t> threads_, codes_;
};

}  // namespace

snapshot::Snapshot snapshot_of(ScopeRef ref) {
  Thread& thread = here();
  WorldStop stop;
  OwnAllocations own(thread);
  if (!is_open(ref)) {
    Snapshot empty;
    empty.nodes.emplace_back();
    return empty;
  }
  return Maker(ref.id).make();
}

}  // namespace malloc_tracer::capture
