// SPDX-License-Identifier: MIT
#include "trace/tables.hpp"

namespace malloc_tracer::trace {

TableMaker::TableMaker(std::size_t expected_nodes) : nodes_(expected_nodes), rows_(expected_nodes) {
  tables_.nodes.reserve(expected_nodes);
  tables_.rows.reserve(expected_nodes);
  tables_.nodes.resize(1);
}

Id TableMaker::file(const Text& name, Kind kind) {
  const auto [id, is_new] = file_names_.insert(name);
  if (is_new) {
    tables_.files.push_back({name, kind});
  }
  return id;
}

Id TableMaker::function(const Text& name, Id file) {
  const Id name_id = function_names_.insert(name).first;
  const auto [id, is_new] = functions_.insert(name_id, file);
  if (is_new) tables_.functions.push_back({name, file});
  return id;
}

Id TableMaker::frame(Id function, int line) {
  const auto [id, is_new] = frames_.insert(function, static_cast<Id>(line));
  if (is_new) tables_.frames.push_back({function, line});
  return id;
}

Id TableMaker::node(Id parent, Id frame) {
  const auto [id, is_new] = nodes_.insert(parent, frame);
  if (is_new) tables_.nodes.push_back({parent, frame});
  return id + 1;  // 0 is the root
}

Id TableMaker::thread(const Text& name, std::uint64_t id) {
  const Id number = thread_ids_[0].insert(static_cast<Id>(id), static_cast<Id>(id >> 32)).first;
  const auto [thread, is_new] = thread_ids_[1].insert(number, thread_names_.insert(name).first);
  if (is_new) tables_.threads.push_back({name, id});
  return thread;
}

Id TableMaker::allocator(const Text& name) {
  const auto [id, is_new] = allocator_names_.insert(name);
  if (is_new) tables_.allocators.push_back(name);
  return id;
}

void TableMaker::add(const Row& row) {
  const Id origin = origins_.insert(row.thread, 2 * row.allocator + (row.is_earlier ? 1 : 0)).first;
  const auto [id, is_new] = rows_.insert(row.node, origin);
  if (is_new) {
    tables_.rows.push_back(row);
  } else {
    tables_.rows[id].self += row.self;
  }
}

void TableMaker::add(const Tables& tables, const std::vector<Id>& frames, bool is_negated) {
  std::vector<Id> thread_ids, allocator_ids;
  std::vector<Id> node_ids(tables.nodes.size());
  for (const auto& [name, id] : tables.threads) thread_ids.push_back(thread(name, id));
  for (const Text& name : tables.allocators) allocator_ids.push_back(allocator(name));
  for (std::size_t i = 1; i < tables.nodes.size(); ++i) {
    node_ids[i] = node(node_ids[tables.nodes[i].parent], frames[tables.nodes[i].frame]);
  }
  for (const Row& row : tables.rows) {
    Row own = {node_ids[row.node], thread_ids[row.thread], allocator_ids[row.allocator], is_negated,
               row.self};
    if (is_negated) {
      for (const Number& number : kNumbers) own.self.*number.value *= -1;
    }
    add(own);
  }
}

Tables tables_of(const Trace& trace) {
  TableMaker maker;
  std::vector<Tables::NodeRow> nodes(1);
  nodes.reserve(trace.nodes.size());
  for (std::size_t i = 1; i < trace.nodes.size(); ++i) {
    const Frame& frame = trace.nodes[i].frame;
    const Id function = maker.function(frame.function, maker.file(frame.file, frame.kind));
    nodes.push_back({trace.nodes[i].parent, maker.frame(function, frame.line)});
  }
  Tables tables = maker.take();
  tables.nodes = std::move(nodes);
  for (const Thread& thread : trace.threads) tables.threads.push_back({thread.name, thread.id});
  for (const AllocatorUse& use : trace.allocators) tables.allocators.push_back(use.name);
  tables.rows = trace.rows;
  return tables;
}

}  // namespace malloc_tracer::trace
