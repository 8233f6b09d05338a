// Package soak runs all limiters at once, with real goroutines on real clocks, for as long as a
// flag says. It records the time of each grant, and checks every bound over all intervals
// afterwards. It has only tests, which make soak runs.
package soak
