// SPDX-License-Identifier: MIT
#include "report/listing.hpp"

#include <utility>

#include "trace/source_lines.hpp"

namespace malloc_tracer::report {
namespace {

Section section_of(const trace::Listing::Stretch& stretch, const trace::SourceLines& sources) {
  Section section{stretch.file, stretch.first_line, {}, stretch.note, stretch.last_line};
  for (int number = stretch.first_line; number <= stretch.last_line; ++number) {
    const auto text = sources.line(stretch.file, number);
    if (!text) break;
    section.text.emplace_back(*text);
  }
  if (section.text.empty() && section.note.empty()) section.note = "it was left out of the trace";
  return section;
}

}  // namespace

std::string listing_report(const trace::Trace& trace) {
  return listing_report(trace, {}, std::nullopt);
}

std::string listing_report(const trace::Trace& trace, std::vector<Column> columns,
                           std::optional<Related> related) {
  const trace::SourceLines sources(trace.sources);
  TextOptions options;
  options.columns = std::move(columns);
  options.related = related.value_or(trace.listing.related);
  options.include = trace.listing.include;
  options.exclude = trace.listing.exclude;
  options.note = trace.listing.empty_note;
  for (const auto& stretch : trace.listing.stretches) {
    options.target.push_back(section_of(stretch, sources));
  }
  options.source = [&](const std::string& file, int number) {
    return std::string(sources.line(file, number).value_or(""));
  };
  return text_report(trace, options);
}

}  // namespace malloc_tracer::report
