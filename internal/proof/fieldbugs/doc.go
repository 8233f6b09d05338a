// Package fieldbugs tries the bugs of other rate limiters, in any language, on every limiter of
// this module, those of other middlewares on httplimit and policy, and those of other clients on
// httplimit.Transport. It has one test for each bug, with the numbers of its report if there are
// any, and no other code. The bugs of limits on Redis are tried in redislimit/fieldbugs_test.go.
//
// The first paragraph of a test's doc comment names the library, the thread and what goes wrong;
// docs/correctness.md shows these paragraphs as a table. The tests of hostile_test.go try clocks
// that misbehave.
package fieldbugs
