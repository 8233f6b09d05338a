package policy

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/keyed"
)

func (c *checker) limit(path string, l *Limit) {
	known := slices.Contains(algorithms, l.As)
	switch {
	case l.As == "":
		c.add(path+".as", "missing", wantAlgorithm+"; there is no default, as it is what the limit promises")
	case !known:
		c.add(path+".as", quote(string(l.As)), wantAlgorithm)
	}
	switch {
	case l.Rate == ratelimit.Rate{}:
		c.add(path+".rate", "missing", wantRate)
	case known:
		c.size(path+".rate", path+".burst", *l)
	}
	if l.Of != "" && !isName(l.Of) {
		c.add(path+".of", quote(l.Of), `an amount, as in "tokens": `+wantName)
	}
	if l.Of != "" && len(l.Count) > 0 {
		c.add(path+".of", quote(l.Of), "none, as a limit with count counts requests")
	}
	for i, s := range l.Count {
		if !isResponse(s) {
			c.add(index(path+".count", i), quote(s), `a status from "100" to "599", or a class of them from "1xx" to "5xx"`)
		}
	}
	c.once(path+".count", l.Count)
	c.shown(path, l.Shown, l.Hidden)
}

func (c *checker) shown(path string, shown *ratelimit.Rate, hidden bool) {
	switch {
	case shown == nil:
	case hidden:
		c.add(path+".shown", quote(shown.String()), "none, as the limit is hidden")
	case shown.Validate() != nil || shown.Events < 1 || shown.Events > math.MaxInt32:
		c.add(path+".shown", quote(shown.String()), fmt.Sprintf("a rate of 1 to %d events", math.MaxInt32))
	}
}

// isResponse reports whether s is a status or a class of them.
func isResponse(s string) bool {
	return len(s) == 3 && '1' <= s[0] && s[0] <= '5' && (s[1:] == "xx" || strings.Trim(s[1:], digits) == "")
}

// sized is what a constructor judges, and judgement what it says: want is "" if it is all right.
type (
	sized struct {
		as    Algorithm
		rate  ratelimit.Rate
		burst int
		table bool
	}
	judgement struct{ field, want string }
)

// size checks that there can be limiters of the limit. The paths are those of its rate and of its
// burst, the same if it is the rate that makes the burst wrong.
func (c *checker) size(rate, burst string, l Limit) {
	s := sized{l.As, l.Rate, l.Burst, l.Of == ""}
	found, ok := c.judged[s]
	if !ok {
		found = judge(s)
		c.judged[s] = found
	}
	switch {
	case found.want == "":
	case found.field == "burst" && l.Burst != 0 && burst != rate:
		c.add(burst, fmt.Sprint(l.Burst), found.want)
	case found.field == "burst":
		c.add(rate, quote(l.Rate.String()), fmt.Sprintf("another rate, or %s (here %d) of %s", l.As.burstName(), l.burst(), found.want))
	default:
		c.add(rate, quote(l.Rate.String()), found.want)
	}
}

// mostLogged is the most events that slidingwindow.NewLog takes.
const mostLogged = 1<<18 - 1

// judge makes limiters as the engine does: in a table, if the limit is one that a table keeps. Only
// the period of a log that is not too large is tried, as a log takes memory for each event.
func judge(s sized) judgement {
	l := Limit{As: s.as, Rate: s.rate, Burst: s.burst}
	if l.As == Log && 0 < l.Rate.Events && l.Rate.Events <= mostLogged {
		l.Rate.Events = 1
	}
	_, err := l.New()
	switch {
	case err != nil || !s.table:
	case s.as == GCRA:
		_, err = keyed.NewGCRA[uint64](l.Rate, l.burst(), 1)
	case s.as == Aligned:
		_, err = keyed.NewAlignedWindow[uint64](l.Rate, 1)
	}
	var bad *ratelimit.ArgumentError
	if !errors.As(err, &bad) {
		return judgement{}
	}
	switch bad.Field {
	case "rate":
		return judgement{"rate", bad.Want}
	case "rate.Events":
		return judgement{"rate", "a number of events of " + bad.Want}
	case "rate.Per":
		return judgement{"rate", "a period of " + bad.Want}
	default:
		return judgement{"burst", bad.Want}
	}
}
