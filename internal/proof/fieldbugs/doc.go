// Package fieldbugs tries on every limiter of this module what went wrong in other rate limiters,
// in any language: one test for each bug, with the numbers of its report if there are any. It
// consists of tests.
//
// The first paragraph of a test's doc comment names the library, the thread and what goes wrong;
// docs/correctness.md shows these paragraphs as a table. The tests of hostile_test.go try clocks
// that misbehave.
package fieldbugs
