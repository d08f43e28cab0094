// SPDX-License-Identifier: MIT
#include "report/html.hpp"

#include <cstddef>
#include <string_view>

#include "report/html_page.hpp"
#include "report/html_table.hpp"
#include "report/json.hpp"

namespace malloc_tracer::report {
namespace {

constexpr std::string_view kStaticMark = "<!--malloc_tracer:static-->";
constexpr std::string_view kTraceMark = "<!--malloc_tracer:trace-->";

// JSON that no reader of HTML can take for an end of its element or for a comment. The characters
// stand in strings only, where an escape means the same.
std::string harmless(std::string_view json) {
  std::string text;
  text.reserve(json.size());
  while (!json.empty()) {
    const std::size_t plain = json.find_first_of("<>&\xe2");
    text.append(json.substr(0, plain));
    if (plain == json.npos) break;
    json.remove_prefix(plain);
    std::size_t size = 1;
    if (json.starts_with("\xe2\x80\xa8") || json.starts_with("\xe2\x80\xa9")) {
      text += json[2] == '\xa8' ? "\\u2028" : "\\u2029";
      size = 3;
    } else if (json[0] == '\xe2') {
      text += json[0];
    } else {
      text += json[0] == '<' ? "\\u003c" : json[0] == '>' ? "\\u003e" : "\\u0026";
    }
    json.remove_prefix(size);
  }
  return text;
}

}  // namespace

std::string html_report(const trace::Trace& trace) {
  const std::string_view page = html_page();
  const std::size_t table = page.find(kStaticMark), data = page.find(kTraceMark, table);
  std::string html(page.substr(0, table));
  html += html_table(trace);
  html += page.substr(table + kStaticMark.size(), data - table - kStaticMark.size());
  html += R"(<script type="application/json" id="trace" data-encoding="identity">)";
  html += harmless(json_report(trace));
  html += "</script>";
  html += page.substr(data + kTraceMark.size());
  return html;
}

}  // namespace malloc_tracer::report
