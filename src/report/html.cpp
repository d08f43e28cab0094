// SPDX-License-Identifier: MIT
#include "report/html.hpp"

#include <cstddef>
#include <string_view>

#include "report/base64.hpp"
#include "report/gzip.hpp"
#include "report/html_page.hpp"
#include "report/html_table.hpp"
#include "report/json.hpp"

namespace malloc_tracer::report {
namespace {

constexpr std::string_view kStaticMark = "<!--malloc_tracer:static-->";
constexpr std::string_view kTraceMark = "<!--malloc_tracer:trace-->";

}  // namespace

std::string html_report(const trace::Trace& trace) {
  const std::string_view page = html_page();
  const std::size_t table = page.find(kStaticMark), data = page.find(kTraceMark, table);
  std::string html(page.substr(0, table));
  html += html_table(trace);
  if (!trace.listing.stretches.empty()) html += html_largest_lines(trace);
  html += page.substr(table + kStaticMark.size(), data - table - kStaticMark.size());
  // Base64 has no character that a reader of HTML could take for an end or a beginning.
  html += R"(<script type="application/json" id="trace" data-encoding="gzip-base64">)";
  html += base64(gzip(json_for_page(trace)));
  html += "</script>";
  html += page.substr(data + kTraceMark.size());
  return html;
}

}  // namespace malloc_tracer::report
