// Package fieldbugs tries the bugs of other rate limiters, in any language, on every limiter of
// this module. It has one test for each bug, with the numbers of its report if there are any, and
// no other code.
//
// The first paragraph of a test's doc comment names the library, the thread and what goes wrong;
// docs/correctness.md shows these paragraphs as a table. The tests of hostile_test.go try clocks
// that misbehave.
package fieldbugs
