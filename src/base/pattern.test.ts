import { expect, test } from "bun:test";
import { Pattern } from "./pattern.ts";
import { PatternError } from "./pattern-parse.ts";

/** Each is given to JavaScript's own expressions too: what both can say, both say alike. */
const patterns = [
  "web",
  "^web$",
  "^/?web-\\d+$",
  "a|b|",
  "(?:ab)+c?",
  "(a|b)*c",
  "^(?:a|bc){2,3}$",
  "x{0}y",
  "a{2,}",
  "[a-c]x",
  "[^a-c]x",
  "[\\w.-]+",
  "[]a]",
  "\\.",
  "\\x41",
  "a.c",
  "\\bweb\\b",
  "\\Bb",
  "é+",
  "a+?b",
  "",
  "\\s",
  "[-a]",
  "a{,2}",
  "{",
  "(a*)*b",
  "\\S\\D\\W",
];
const texts = [
  "",
  "web",
  "/web-12",
  "my web-1 app",
  "abab",
  "ababc",
  "bca",
  "aa",
  "aaa",
  "ax",
  "dx",
  "]",
  "A",
  "a.c",
  "a\nc",
  "éé",
  "y",
  "-",
  "a{,2}",
  "{",
  "b",
  "x y",
  "a!-",
  "😀x",
];

test.each(patterns)("%p finds what JavaScript's own finds", (source) => {
  const own = new RegExp(source === "[]a]" ? "[\\]a]" : source, source.includes("é") ? "u" : "");
  const pattern = new Pattern(source);
  for (const text of texts) expect([text, pattern.test(text)]).toEqual([text, own.test(text)]);
});

test.each([
  ["(?i)WEB", "my web", true],
  ["[[:alpha:]]+[[:digit:]]$", "web1", true],
  ["[[:^digit:]]", "1", false],
  ["(?P<name>a)b", "ab", true],
  ["\\Aab\\z", "ab", true],
  ["^😀.$", "😀x", true],
])("Go's %p in %p: %p", (source, text, found) => expect(new Pattern(source).test(text)).toBe(found));

test.each([
  "(",
  ")",
  "[",
  "*",
  "a**",
  "\\",
  "\\q",
  "[b-a]",
  "a{3,2}",
  "a{1001}",
  "(a{1000}){1000}",
  "[[:no:]]",
  "(((a{0}){1000}){1000}){1000}",
  "(".repeat(300),
])("%p is none", (source) => expect(() => new Pattern(source)).toThrow(PatternError));

test("none takes long", () => {
  const text = "a".repeat(1000);
  const before = process.cpuUsage(); // not the clock: others may work on this machine
  for (const source of ["(a+)+$", "(a|aa)+b", "(a*)*b", `${"a?".repeat(300)}b`, `${".*a".repeat(30)}b`])
    new Pattern(source).test(text);
  expect(process.cpuUsage(before).user / 1000).toBeLessThan(4000);
});
