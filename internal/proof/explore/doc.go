// Package explore runs every interleaving of a few callers of a limiter and demands that each can
// be explained by some order of their operations, one at a time.
//
// Limiters share state through package atomics only, so an interleaving is an order of their atomic
// operations (Go's are sequentially consistent). With the build tag explore each of these is a step
// at which the caller yields; this package then chooses who goes on. Its tests run themselves with
// that tag. Those of a keyed.Table are in its own package, below the hash that is another each
// time.
package explore
