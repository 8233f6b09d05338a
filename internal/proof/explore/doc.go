// Package explore runs every interleaving of a few callers of a limiter and demands that each can
// be explained by some order of their operations, one at a time.
//
// Limiters share state through package atomics only, so an interleaving is an order of their atomic
// operations, which are sequentially consistent in Go. With the build tag explore, the caller
// yields at each of these, and this package chooses which caller goes on. Its tests run themselves
// with that tag. The tests of keyed.Table are in package keyed, because they must replace the hash
// of keys, which is another one for each table. Those of a striped bucket are in package bucket,
// because they must choose the stripes of callers.
package explore
