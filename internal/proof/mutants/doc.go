// Package mutants tests the tests: it plants faults in the code, and demands that a test fails for
// each.
//
// There are two kinds. The faults in faults.txt are versions that a developer might write. Others
// are made by a tool, from every operator, statement and number; accepted.txt explains those that
// no test can find.
package mutants
