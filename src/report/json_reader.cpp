// SPDX-License-Identifier: MIT
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "report/json.hpp"
#include "report/json_cursor.hpp"
#include "report/json_format.hpp"
#include "trace/block_sizes.hpp"
#include "trace/error.hpp"
#include "trace/tables.hpp"

namespace malloc_tracer::report {
namespace {

using trace::Counters;
using trace::Id;
using trace::Text;
using trace::Trace;

constexpr std::size_t kMaxTimeline = 1024;
constexpr std::size_t kNumberCount = std::size(trace::kNumbers);

using Integers = std::vector<std::int64_t>;

// One table of the file: columns of equal length. Strings stand beside, in the order of `texts`.
struct Table {
  std::string_view name;
  std::vector<std::string_view> columns;
  std::vector<std::string_view> texts = {};
  std::vector<std::string_view> optional = {};  // columns of numbers that may be missing: zeros

  std::vector<Integers> numbers = {};  // `columns`, then `optional`
  std::vector<TextList> strings = {};
  std::size_t size = 0;
};

class Reader {
 public:
  explicit Reader(std::string_view text) : cursor_(text) {}

  Trace read() {
    read_document();
    check_links();
    make_strings();
    facts_.timeline = timeline();
    facts_.lost = lost();
    facts_.sources = sources();
    facts_.listing.stretches = stretches();
    trace::Tables tables = make_tables();
    const Counters sum = facts_.sum;
    Trace trace = trace::sum_up(std::move(facts_), std::move(tables));
    if (trace.sum != sum) damaged("'sum' is not the sum of the rows");
    check_block_sizes(trace);
    return trace;
  }

 private:
  // --- From the text to columns ---

  void read_document() {
    std::vector<JsonCursor::Member> members = {
        {"format", [&] { check_format(); }},
        {"version", [&] { check_version(); }},
        {"writer", [&] { cursor_.string(); }},
        {"name", [&] { facts_.name = cursor_.string(); }},
        {"difference", [&] { facts_.is_difference = cursor_.boolean(); }},
        {"python_version", [&] { facts_.python_version = cursor_.string(); }},
        {"command", [&] { facts_.command = texts(); }},
        {"time_ms", [&] { facts_.time_ms = cursor_.integer(); }},
        {"duration_ns", [&] { facts_.duration_ns = cursor_.integer(); }},
        {"sum", [&] { read_sum(); }},
        {"strings", [&] { strings_ = cursor_.strings(); }},
        {"files", [&] { read_files(); }},
        {"listing", [&] { read_listing(); }},
        {"block_sizes", [&] { facts_.block_sizes = cursor_.integers(); }, true},
    };
    for (Table* table : {&threads_, &allocators_, &functions_, &frames_, &nodes_, &rows_,
                         &timeline_, &lost_, &sources_}) {
      members.push_back({table->name, [this, table] { read_table(*table); }});
    }
    cursor_.object(members);
    cursor_.end();
  }

  void check_format() {
    if (cursor_.string() != kFormatName) {
      throw Error(
          "is no trace of malloc_tracer: pass a file that trace.save(\"x.json\") has written");
    }
  }

  void check_version() {
    const std::int64_t version = cursor_.integer();
    if (version > kVersion) {
      throw Error("is of version " + std::to_string(version) + " of the format, and this is " +
                  "malloc_tracer " MALLOC_TRACER_VERSION ", which reads up to " +
                  std::to_string(kVersion) + ": install a newer malloc_tracer");
    }
    if (version < 1) cursor_.fail("there is no version " + std::to_string(version));
  }

  std::vector<std::string> texts() {
    const TextList list = cursor_.strings();
    std::vector<std::string> texts;
    texts.reserve(list.size());
    for (std::size_t i = 0; i < list.size(); ++i) texts.emplace_back(list[i]);
    return texts;
  }

  void read_sum() {
    std::vector<JsonCursor::Member> members;
    for (const trace::Number& number : trace::kNumbers) {
      members.push_back({number.name, [&] { facts_.sum.*number.value = cursor_.integer(); }});
    }
    cursor_.object(members);
  }

  void read_table(Table& table, std::vector<JsonCursor::Member> others = {}) {
    const std::size_t required = table.columns.size();
    table.numbers.resize(required + table.optional.size());
    table.strings.resize(table.texts.size());
    for (std::size_t i = 0; i < table.numbers.size(); ++i) {
      const std::string_view name = i < required ? table.columns[i] : table.optional[i - required];
      others.push_back({name, [&, i] { table.numbers[i] = cursor_.integers(); }, i >= required});
    }
    for (std::size_t i = 0; i < table.texts.size(); ++i) {
      others.push_back({table.texts[i], [&, i] { table.strings[i] = cursor_.strings(); }});
    }
    cursor_.object(others);
    table.size = table.numbers.front().size();
    for (std::size_t i = 0; i < table.numbers.size(); ++i) {
      const std::size_t length = table.numbers[i].size();
      if (length != table.size && (i < required || length != 0)) not_of_one_length(table);
    }
    for (const TextList& texts : table.strings) {
      if (texts.size() != table.size) not_of_one_length(table);
    }
  }

  void read_files() {
    std::vector<JsonCursor::Member> kinds = {{"kind", [&] { read_kinds(); }}};
    read_table(files_, std::move(kinds));
    if (kinds_.size() != files_.size) not_of_one_length(files_);
  }

  void read_kinds() {
    const TextList names = cursor_.strings();
    for (std::size_t i = 0; i < names.size(); ++i) {
      using trace::Kind;
      kinds_.push_back(Kind::kYours);
      for (const Kind kind : {Kind::kLibrary, Kind::kNative}) {
        if (names[i] == trace::kind_name(kind)) kinds_.back() = kind;
      }
      if (names[i] != trace::kind_name(kinds_.back())) {
        cursor_.fail("'kind' of a file is yours, library or native");
      }
    }
  }

  void read_listing() {
    trace::Listing& listing = facts_.listing;
    read_table(listing_, {{"empty_note", [&] { listing.empty_note = cursor_.string(); }},
                          {"related", [&] { read_related(); }},
                          {"include", [&] { listing.include = texts(); }, true},
                          {"exclude", [&] { listing.exclude = texts(); }, true}});
  }

  void read_related() {
    const std::string name = cursor_.string();
    const auto found = std::ranges::find(kRelatedNames, name);
    if (found == kRelatedNames.end()) {
      cursor_.fail("'related' is none, for_each_file or in_descending_order");
    }
    facts_.listing.related = static_cast<trace::Related>(found - kRelatedNames.begin());
  }

  // --- From columns to the trace ---

  void check_links() const {
    for (const Table* table : {&threads_, &allocators_, &files_, &functions_}) {
      check_range(*table, 0, 0, strings_.size());
    }
    for (const Table* table : {&lost_, &sources_, &listing_}) {
      check_range(*table, 0, 0, strings_.size());
      check_range(*table, 1, 0, kNoLimit);
    }
    check_range(threads_, 1, 0, kNoLimit);
    check_range(functions_, 1, 0, files_.size);
    check_range(frames_, 0, 0, functions_.size);
    check_line(frames_, 1);
    check_line(sources_, 1);
    check_line(listing_, 1);
    check_line(listing_, 2);
    check_range(timeline_, 1, 0, kNoLimit);
    check_flag(rows_, 3 + kNumberCount);
    check_flag(sources_, 2);
    if (timeline_.size > kMaxTimeline) damaged("the timeline has more than 1,024 points");
    check_nodes();
    check_rows();
  }

  void check_nodes() const {
    const Integers& parents = nodes_.numbers[0];
    const Integers& frames = nodes_.numbers[1];
    if (nodes_.size == 0 || parents[0] != 0 || frames[0] != -1) {
      damaged("the first node must be the root: parent 0, frame -1");
    }
    for (std::size_t i = 1; i < nodes_.size; ++i) {
      if (!is_below(parents[i], i)) damaged("a node stands before its parent", "parent", i);
      if (!is_below(frames[i], frames_.size)) out_of_range(nodes_, 1, i);
    }
  }

  // That every node has a row also bounds what a small file may describe.
  void check_rows() const {
    check_range(rows_, 0, 0, nodes_.size);
    check_range(rows_, 1, 0, threads_.size);
    check_range(rows_, 2, 0, allocators_.size);
    std::vector<bool> has_row(nodes_.size);
    has_row[0] = true;
    for (const std::int64_t node : rows_.numbers[0]) has_row[static_cast<std::size_t>(node)] = true;
    const auto without = std::ranges::find(has_row, false);
    if (without != has_row.end()) {
      damaged("a node has no row", "nodes", static_cast<std::size_t>(without - has_row.begin()));
    }
    for (std::size_t number = 0; number < kNumberCount; ++number) {
      check_size(rows_.numbers[3 + number], trace::kNumbers[number].name);
    }
  }

  // That no sum of some of the numbers can overflow.
  static void check_size(const Integers& numbers, std::string_view name) {
    std::int64_t size = 0;
    for (const std::int64_t value : numbers) {
      if (value == std::numeric_limits<std::int64_t>::min() ||
          __builtin_add_overflow(size, value < 0 ? -value : value, &size)) {
        damaged("the numbers of '" + std::string(name) + "' are too large");
      }
    }
  }

  static void check_block_sizes(Trace& trace) {
    const auto& counts = trace.block_sizes;
    if (counts.size() > trace::kMaxBlockSizes) damaged("'block_sizes' has more than 65 counts");
    check_size(counts, "block_sizes");
    const auto sum = std::accumulate(counts.begin(), counts.end(), std::int64_t{0});
    if (!counts.empty() && sum != trace.sum.allocated_count) {
      damaged("'block_sizes' does not add up to the blocks allocated");
    }
    trace.block_sizes = trace::add_block_sizes({}, counts);
  }

  static constexpr std::size_t kNoLimit = std::numeric_limits<std::int64_t>::max();

  static bool is_below(std::int64_t value, std::size_t limit) {
    return value >= 0 && static_cast<std::uint64_t>(value) < limit;
  }

  static void check_range(const Table& table, std::size_t column, std::int64_t least,
                          std::size_t limit) {
    const Integers& values = table.numbers[column];
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (values[i] < least || !is_below(values[i], limit)) out_of_range(table, column, i);
    }
  }

  static void check_line(const Table& table, std::size_t column) {
    const Integers& values = table.numbers[column];
    for (std::size_t i = 0; i < values.size(); ++i) {
      // Half of what fits: sums of a line and a length must fit too.
      constexpr std::int64_t kMaxLine = std::numeric_limits<int>::max() / 2;
      if (values[i] < -kMaxLine || values[i] > kMaxLine) out_of_range(table, column, i);
    }
  }

  static void check_flag(const Table& table, std::size_t column) {
    check_range(table, column, 0, 2);
  }

  void make_strings() { texts_.resize(strings_.size()); }

  // Each string becomes one text, and only if something is called so.
  const Text& text(std::int64_t index) {
    Text& shared = texts_[static_cast<std::size_t>(index)];
    const std::string_view characters = strings_[static_cast<std::size_t>(index)];
    if (shared.str().empty() && !characters.empty()) shared = Text(characters);
    return shared;
  }

  std::vector<trace::TimelinePoint> timeline() const {
    std::vector<trace::TimelinePoint> points;
    for (std::size_t i = 0; i < timeline_.size; ++i) {
      points.push_back(
          {timeline_.numbers[0][i], static_cast<std::uint64_t>(timeline_.numbers[1][i])});
    }
    return points;
  }

  std::vector<std::pair<std::string, std::uint64_t>> lost() const {
    std::vector<std::pair<std::string, std::uint64_t>> entries;
    std::vector<bool> is_seen(strings_.size());
    for (std::size_t i = 0; i < lost_.size; ++i) {
      const auto reason = static_cast<std::size_t>(lost_.numbers[0][i]);
      if (is_seen[reason]) damaged("a reason stands there twice", "lost", i);
      is_seen[reason] = true;
      entries.emplace_back(strings_[reason], static_cast<std::uint64_t>(lost_.numbers[1][i]));
    }
    return entries;
  }

  std::vector<trace::Source> sources() {
    std::vector<trace::Source> sources;
    sources.reserve(sources_.size);
    for (std::size_t i = 0; i < sources_.size; ++i) {
      sources.push_back({text(sources_.numbers[0][i]), static_cast<int>(sources_.numbers[1][i]),
                         std::string(sources_.strings[0][i]), is_set(sources_, 2, i)});
    }
    sources_ = {};
    return sources;
  }

  std::vector<trace::Listing::Stretch> stretches() {
    std::vector<trace::Listing::Stretch> stretches;
    stretches.reserve(listing_.size);
    for (std::size_t i = 0; i < listing_.size; ++i) {
      stretches.push_back({text(listing_.numbers[0][i]), static_cast<int>(listing_.numbers[1][i]),
                           static_cast<int>(listing_.numbers[2][i]),
                           std::string(listing_.strings[0][i])});
    }
    listing_ = {};
    return stretches;
  }

  static bool is_set(const Table& table, std::size_t column, std::size_t row) {
    return !table.numbers[column].empty() && table.numbers[column][row] == 1;
  }

  // Only what a node leads to becomes a place, and only what a row names a thread or an allocator:
  // a place takes far more memory than its few letters in the file.
  trace::Tables make_tables() {
    trace::TableMaker maker(nodes_.size);
    constexpr Id kNone = std::numeric_limits<Id>::max();
    std::vector<Id> frame_ids(frames_.size, kNone), node_ids(nodes_.size),
        thread_ids(threads_.size, kNone), allocator_ids(allocators_.size, kNone);
    for (std::size_t i = 1; i < nodes_.size; ++i) {
      const auto frame = static_cast<std::size_t>(nodes_.numbers[1][i]);
      if (frame_ids[frame] == kNone) frame_ids[frame] = make_frame(maker, frame);
      const auto parent = static_cast<std::size_t>(nodes_.numbers[0][i]);
      node_ids[i] = maker.node(node_ids[parent], frame_ids[frame]);
    }
    nodes_ = frames_ = functions_ = files_ = {};
    for (std::size_t i = 0; i < rows_.size; ++i) {
      const auto id = [&](std::size_t column) {
        return static_cast<std::size_t>(rows_.numbers[column][i]);
      };
      Id& thread = thread_ids[id(1)];
      if (thread == kNone) thread = make_thread(maker, id(1));
      Id& allocator = allocator_ids[id(2)];
      if (allocator == kNone) allocator = maker.allocator(text(allocators_.numbers[0][id(2)]));
      trace::Row row{node_ids[id(0)], thread, allocator, is_set(rows_, 3 + kNumberCount, i), {}};
      for (std::size_t number = 0; number < kNumberCount; ++number) {
        row.self.*trace::kNumbers[number].value = rows_.numbers[3 + number][i];
      }
      if (row.self != Counters{}) maker.add(row);
    }
    rows_ = {};
    return maker.take();
  }

  Id make_thread(trace::TableMaker& maker, std::size_t thread) {
    return maker.thread(text(threads_.numbers[0][thread]),
                        static_cast<std::uint64_t>(threads_.numbers[1][thread]));
  }

  Id make_frame(trace::TableMaker& maker, std::size_t frame) {
    const auto function = static_cast<std::size_t>(frames_.numbers[0][frame]);
    const auto file = static_cast<std::size_t>(functions_.numbers[1][function]);
    const Id file_id = maker.file(text(files_.numbers[0][file]), kinds_[file]);
    const Id function_id = maker.function(text(functions_.numbers[0][function]), file_id);
    return maker.frame(function_id, static_cast<int>(frames_.numbers[1][frame]));
  }

  // --- What is wrong ---

  [[noreturn]] static void damaged(const std::string& what) {
    throw Error(what + ": the file is damaged; save the trace again");
  }
  [[noreturn]] static void damaged(const std::string& what, std::string_view where,
                                   std::size_t row) {
    damaged("'" + std::string(where) + "', row " + std::to_string(row) + ": " + what);
  }
  [[noreturn]] static void out_of_range(const Table& table, std::size_t column, std::size_t row) {
    const std::string_view name = column < table.columns.size()
                                      ? table.columns[column]
                                      : table.optional[column - table.columns.size()];
    damaged("'" + std::string(name) + "' is out of range", table.name, row);
  }
  [[noreturn]] static void not_of_one_length(const Table& table) {
    damaged("the columns of '" + std::string(table.name) + "' differ in length");
  }

  static std::vector<std::string_view> row_columns() {
    std::vector<std::string_view> names = {"node", "thread", "allocator"};
    for (const trace::Number& number : trace::kNumbers) names.push_back(number.name);
    return names;
  }

  JsonCursor cursor_;
  Trace facts_;
  TextList strings_;
  std::vector<Text> texts_;  // `strings_`, as far as used
  std::vector<trace::Kind> kinds_;
  Table threads_{"threads", {"name", "id"}};
  Table allocators_{"allocators", {"name"}};
  Table files_{"files", {"name"}};
  Table functions_{"functions", {"name", "file"}};
  Table frames_{"frames", {"function", "line"}};
  Table nodes_{"nodes", {"parent", "frame"}};
  Table rows_{"rows", row_columns(), {}, {"earlier"}};
  Table timeline_{"timeline", {"ns", "live_bytes"}};
  Table lost_{"lost", {"reason", "count"}};
  Table sources_{"sources", {"file", "first_line"}, {"text"}, {"earlier"}};
  Table listing_{"listing", {"file", "first_line", "last_line"}, {"note"}};
};

}  // namespace

Trace read_json(std::string_view text) { return Reader(text).read(); }

}  // namespace malloc_tracer::report
