// Package soak runs all limiters at once, for as long as is asked, by real goroutines on real
// clocks; it keeps when each grant was made, and checks every bound over all intervals afterwards.
// It consists of tests: make soak runs them.
package soak
