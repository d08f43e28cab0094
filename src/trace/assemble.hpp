// SPDX-License-Identifier: MIT
#pragma once

#include <vector>

#include "trace/places.hpp"
#include "trace/trace.hpp"

// The last step of every trace, whether it comes from a snapshot, a file, or other traces: from a
// call tree with the numbers of each node to all lists.
namespace malloc_tracer::trace {

// Index 0 is the root, without a site. A parent stands before its children, and children of one
// parent have distinct sites.
struct TreeNode {
  Id parent = 0, site = 0;
  Counters self;
};

// Fills in `nodes`, `sum`, `lines`, `functions` and `files` of `facts`, and sorts all lists; of its
// threads and allocators `self` must be there. Requires: `tree` is not empty. O(nodes log nodes).
Trace assemble(Trace facts, Places places, const std::vector<TreeNode>& tree);

// A call tree in the making: equal frames below one parent are one node.
class TreeMaker {
 public:
  TreeMaker() : nodes(1) {}

  Id child(Id parent, Id site) {
    const auto [id, is_new] = ids_.insert(parent, site);
    if (is_new) nodes.push_back({parent, site, {}});
    return id + 1;  // 0 is the root
  }

  std::vector<TreeNode> nodes;

 private:
  PairIds ids_;
};

}  // namespace malloc_tracer::trace
