// SPDX-License-Identifier: MIT
#include "trace/merge.hpp"

#include <algorithm>
#include <string>
#include <vector>

#include "trace/block_sizes.hpp"
#include "trace/error.hpp"
#include "trace/tables.hpp"

namespace malloc_tracer::trace {
namespace {

std::vector<Id> frames_in(TableMaker& maker, const Tables& tables) {
  std::vector<Id> ids;
  ids.reserve(tables.frames.size());
  for (const auto& [function, line] : tables.frames) {
    const Tables::FunctionRow& row = tables.functions[function];
    const Tables::FileRow& file = tables.files[row.file];
    ids.push_back(maker.frame(maker.function(row.name, maker.file(file.name, file.kind)), line));
  }
  return ids;
}

// What all traces agree on stays; else it is empty.
template <class Value>
void agree(Value& value, const Value& other) {
  if (value != other) value = Value{};
}

void add_lost(Trace& sum, const Trace& trace) {
  for (const auto& lost : trace.lost) {
    const auto same = [&](const auto& entry) { return entry.first == lost.first; };
    const auto found = std::find_if(sum.lost.begin(), sum.lost.end(), same);
    if (found == sum.lost.end()) {
      sum.lost.push_back(lost);
    } else {
      found->second += lost.second;
    }
  }
}

void add_sources(Trace& sum, const Trace& trace) {
  for (const Source& source : trace.sources) {
    const bool is_known = std::ranges::any_of(sum.sources, [&](const Source& known) {
      return known.file == source.file && known.first_line == source.first_line &&
             known.text == source.text;
    });
    if (!is_known) sum.sources.push_back(source);
  }
}

void add_listing(Listing& sum, const Listing& listing) {
  for (const Listing::Stretch& stretch : listing.stretches) {
    const bool is_known = std::ranges::any_of(sum.stretches, [&](const Listing::Stretch& known) {
      return known.file == stretch.file && known.first_line == stretch.first_line &&
             known.last_line == stretch.last_line;
    });
    if (!is_known) sum.stretches.push_back(stretch);
  }
}

void add_facts(Trace& sum, const Trace& trace) {
  agree(sum.python_version, trace.python_version);
  agree(sum.command, trace.command);
  sum.time_ms = std::min(sum.time_ms, trace.time_ms);
  sum.duration_ns += trace.duration_ns;
  if (trace.sum != Counters{}) {
    sum.timeline = sum.sum == Counters{} ? trace.timeline : std::vector<TimelinePoint>{};
  }
  const bool is_known = knows_block_sizes(sum) && knows_block_sizes(trace);
  sum.block_sizes =
      is_known ? add_block_sizes(sum.block_sizes, trace.block_sizes) : std::vector<std::int64_t>{};
  sum.sum += trace.sum;
  add_lost(sum, trace);
  add_sources(sum, trace);
  add_listing(sum.listing, trace.listing);
  agree(sum.listing.include, trace.listing.include);
  agree(sum.listing.exclude, trace.listing.exclude);
}

std::string name_of(std::span<const Trace* const> traces) {
  const std::string& first = traces.front()->name;
  const auto others =
      std::ranges::count_if(traces, [&](const Trace* trace) { return trace->name != first; });
  return others == 0 ? first : first + " and " + std::to_string(others) + " more";
}

}  // namespace

Trace merge(std::span<const Trace* const> traces) {
  if (traces.empty()) throw Error("there is no trace to add up: pass at least one");
  TableMaker maker(traces.front()->nodes.size());
  Trace facts;
  facts.name = name_of(traces);
  facts.python_version = traces.front()->python_version;
  facts.command = traces.front()->command;
  facts.time_ms = traces.front()->time_ms;
  facts.listing.empty_note = traces.front()->listing.empty_note;
  facts.listing.related = traces.front()->listing.related;
  facts.listing.include = traces.front()->listing.include;
  facts.listing.exclude = traces.front()->listing.exclude;
  for (const Trace* trace : traces) {
    if (trace->is_difference) {
      throw Error("'" + trace->name + "' is a difference of two traces: merge traces, then diff");
    }
    add_facts(facts, *trace);
    const Tables tables = tables_of(*trace);
    maker.add(tables, frames_in(maker, tables), false);
  }
  return sum_up(std::move(facts), maker.take());
}

}  // namespace malloc_tracer::trace
