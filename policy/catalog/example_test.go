package catalog_test

import (
	"fmt"
	"strings"

	"github.com/seed-3506548a/ratelimit/policy/catalog"
)

func ExampleLoad() {
	p, err := catalog.Load("willittrack")
	if err != nil {
		panic(err)
	}
	lines := strings.Split(p.Explain(), "\n")
	fmt.Println(strings.Join(lines[5:10], "\n"))
	// Output:
	// Rule v1: requests for /v1/.
	//   Those with the same user, or else ip, and the same route are counted together.
	//   A request with neither user nor ip, or with no route, is counted together with all others like it.
	//   Limit minute: aligned 60/min.
	//     It grants 60 in each 1m by the clock: at worst 120 in 1m, where two of them meet.
}
