// Package fieldbugs puts every limiter of this module through what went wrong in other limiters, in
// whatever language: one test each, with the numbers of the report where there is one. It consists
// of tests. Their list is in catalogue_test.go, and docs/correctness.md shows it. hostile_test.go
// adds clocks that do their worst.
package fieldbugs
