// Package mutants tests the tests: it plants faults in the code, and demands that a test fails for
// each.
//
// There are faults that somebody thought of, in faults.txt, and those that a tool makes of every
// operator, statement and number; of the latter, accepted.txt explains those that no test can find.
package mutants
