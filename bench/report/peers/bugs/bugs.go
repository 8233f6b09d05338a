// Package bugs shows what is wrong with other rate limiters, in the versions that go.mod names, by
// having them do it. Nothing in it depends on luck. Where a peer takes no time and no clock, a few
// milliseconds of real time have to pass, and it does no harm if more do.
//
// So some that can be read in the sources are not here, since no caller can make them happen. Two
// need somebody to come between two instructions: in ulule/limiter and in sethvargo/go-limiter, a
// charge is lost that is made after its key was found to have expired, and before the key is
// removed. One needs the system's clock to be set back: sethvargo/go-limiter counts intervals of
// the wall clock in a uint64, of which there are then very many.
package bugs

import (
	"fmt"
	"runtime"
	"slices"
	"time"
)

// Bug is one of a module, on any architecture or on one. See provokes it, and says whether it is
// still there.
type Bug struct {
	Module string
	What   string
	Arch   string
	See    func() (seen string, wrong bool)
}

// All returns the bugs of the architecture that this runs on.
func All() []Bug {
	return slices.DeleteFunc(slices.Clone(bugs), func(b Bug) bool { return b.Arch != "" && b.Arch != runtime.GOARCH })
}

var bugs = []Bug{
	{"golang.org/x/time", "times that come out of order mint tokens", "", xTimeOutOfOrder},
	{"golang.org/x/time", "a negative n fills the bucket", "", xTimeNegative},
	{"golang.org/x/time", "a rate of NaN is no limit", "", xTimeNaN},
	{"golang.org/x/time", "one event every `MaxInt64` ns grants another one at once", "amd64", xTimeLongest},
	{"golang.org/x/time", "to cancel twice mints tokens", "", xTimeCancelTwice},
	{"golang.org/x/time", "what was granted at once cannot be cancelled a ns later", "", xTimeCancelLate},
	{"go.uber.org/ratelimit", "on a clock that begins at the Unix epoch there is no limit", "", uberEpoch},
	{"go.uber.org/ratelimit", "600 million a second are as good as a thousand million", "", uberWholeNanoseconds},
	{"github.com/juju/ratelimit", "a `Clock` that is set back takes the tokens away", "", jujuSetBack},
	{"github.com/juju/ratelimit", "after 150 days idle at 10^12 a second it refuses", "", jujuIdle},
	{"github.com/juju/ratelimit", "`TakeMaxDuration` of a huge n overflows, and grants", "", jujuHuge},
	{"github.com/throttled/throttled/v2", "a huge quantity overflows, and is granted", "", throttledHuge},
	{"github.com/throttled/throttled/v2", "a negative quantity fills the bucket", "", throttledNegative},
	{"github.com/throttled/throttled/v2", "who loses ten races gets an error", "", throttledRaces},
	{"github.com/sethvargo/go-limiter", "from 31623 a second on, every second but the first brings too few", "", sethvargoRefill},
	{"github.com/failsafe-go/failsafe-go", "a wait that is cancelled keeps its permits", "", failsafeCancel},
	{"github.com/failsafe-go/failsafe-go", "bursty: who waited once leaves all of an idle time's permits to be taken at once", "", failsafeDebt},
	{"github.com/RussellLuo/slidingwindow", "`Limit`, \"the maximum events permitted to happen during one window size\", is exceeded", "", russellluoTwice},
	{"github.com/RussellLuo/slidingwindow", "a negative n makes room for more", "", russellluoNegative},
	{"github.com/ulule/limiter/v3", "a huge count overflows, and there is no limit any more", "", ululeHuge},
	{"github.com/go-chi/httprate", "a caller that read the clock in the last window clears the new one", "", httprateLate},
}

// start is when it is for limiters that are told the time: the beginning of an hour.
var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// clock is for limiters that ask one. Whoever sleeps moves it on.
type clock struct {
	now   time.Time
	slept time.Duration
}

func (c *clock) Now() time.Time { return c.now }

func (c *clock) Sleep(d time.Duration) {
	c.now = c.now.Add(d)
	c.slept += d
}

// count returns how many of n calls say yes.
func count(n int, allow func(i int) bool) (granted int) {
	for i := range n {
		if allow(i) {
			granted++
		}
	}
	return granted
}

// atMost is what a bug saw that lets too many through, and atLeast what one saw that refuses too
// many.
func atMost(right, granted, tried int) (seen string, wrong bool) {
	return fmt.Sprintf("granted %d of %d, at most %d would be right", granted, tried, right), granted > right
}

func atLeast(right, granted, tried int) (seen string, wrong bool) {
	return fmt.Sprintf("granted %d of %d, %d would be right", granted, tried, right), granted < right
}

// must is for arguments that peers are known to take.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
