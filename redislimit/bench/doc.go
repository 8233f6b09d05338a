// Package bench measures limits on a server beside those of other libraries: each with a server of
// its own, through the same client. Compare what one run says; other runs differ.
//
//	go test -C redislimit/bench -run '^$' -bench . -benchtime 10000x -count 5
package bench
