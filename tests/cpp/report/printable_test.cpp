// SPDX-License-Identifier: MIT
#include "report/printable.hpp"

#include <gtest/gtest.h>

#include <string>

namespace malloc_tracer::report {
namespace {

using std::string_literals::operator""s;

TEST(Printable, LeavesOrdinaryTextAlone) {
  EXPECT_EQ(printable(""), "");
  EXPECT_EQ(printable("x = 'a\\n'  # b  "), "x = 'a\\n'  # b  ");
  EXPECT_EQ(printable("größe = '日本語 🐍'"), "größe = '日本語 🐍'");
}

TEST(Printable, TurnsTabsIntoSpacesUpToTheNextStop) {
  EXPECT_EQ(printable("\tx"), "        x");
  EXPECT_EQ(printable("ab\tx\ty"), "ab      x       y");
  EXPECT_EQ(printable("1234567\tx"), "1234567 x");
  EXPECT_EQ(printable("12345678\tx"), "12345678        x");
  EXPECT_EQ(printable("äöü\tx"), "äöü     x") << "characters count, not bytes";
  EXPECT_EQ(printable("\x1b\tx"), "\\x1b    x") << "an escape counts as it is shown";
}

TEST(Printable, EscapesControlCharacters) {
  EXPECT_EQ(printable("\x1b[31mred\x07"), "\\x1b[31mred\\x07");
  EXPECT_EQ(printable("a\0b\r\n"s), "a\\x00b\\x0d\\x0a");
  EXPECT_EQ(printable("\x7f\xc2\x80\xc2\x9b\xc2\xa0"), "\\x7f\\x80\\x9b\xc2\xa0");
}

// CVE-2021-42574, "Trojan source".
TEST(Printable, EscapesWhatReordersTextOrEndsLines) {
  EXPECT_EQ(printable("\u202a\u202b\u202c\u202d\u202e"), "\\u202a\\u202b\\u202c\\u202d\\u202e");
  EXPECT_EQ(printable("\u2066\u2067\u2068\u2069"), "\\u2066\\u2067\\u2068\\u2069");
  EXPECT_EQ(printable("\u061c\u200e\u200f\u2028\u2029"), "\\u061c\\u200e\\u200f\\u2028\\u2029");
  EXPECT_EQ(printable("\u200d\u2027\u202f\u2065\u206a"), "\u200d\u2027\u202f\u2065\u206a");
}

// As bytes.decode('utf-8', 'replace') of Python has it.
TEST(Printable, ReplacesEachMaximalInvalidPartOfUtf8) {
  const std::string bad = "\\ufffd";
  EXPECT_EQ(printable("a\xff"
                      "b"),
            "a" + bad + "b");
  EXPECT_EQ(printable("\x80\xbf"), bad + bad) << "continuations without a start";
  EXPECT_EQ(printable("\xc0\xaf"), bad + bad) << "overlong";
  EXPECT_EQ(printable("\xe0\x80\x80"), bad + bad + bad) << "overlong";
  EXPECT_EQ(printable("\xf0\x8f\xbf\xbf"), bad + bad + bad + bad) << "overlong";
  EXPECT_EQ(printable("\xed\xa0\x80"), bad + bad + bad) << "surrogate";
  EXPECT_EQ(printable("\xf4\x90\x80\x80"), bad + bad + bad + bad) << "above 10ffff";
  EXPECT_EQ(printable("\xf5"), bad);
  EXPECT_EQ(printable("\xf0\x9f\x90"), bad) << "cut";
  EXPECT_EQ(printable("\xe6\x97(\xe6"), bad + "(" + bad) << "cut";
}

}  // namespace
}  // namespace malloc_tracer::report
