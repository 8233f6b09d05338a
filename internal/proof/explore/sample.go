//go:build explore

package explore

import (
	"flag"
	"math/rand/v2"
	"slices"
)

var (
	percent = flag.Int("explore.percent", 100, "how many percent of the scenarios are explored")
	seed    = flag.Uint64("explore.seed", 2, "which these are")
)

// Random returns the source of random scenarios of a number: others for each seed.
func Random(number uint64) *rand.Rand { return rand.New(rand.NewPCG(number, *seed)) }

// Share returns how many scenarios are explored.
func Share(least, most int) int { return min(max(least, most**percent/100), most) }

// Some returns so many of the scenarios as Share says, or all if they are fewer.
func Some[S any](all []S, least, most int) []S {
	n := Share(least, min(most, len(all)))
	if n == len(all) {
		return all
	}
	some := slices.Clone(all)
	Random(1).Shuffle(len(some), func(i, j int) { some[i], some[j] = some[j], some[i] })
	return some[:n]
}
