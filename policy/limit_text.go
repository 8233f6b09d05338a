package policy

import (
	"slices"
	"strconv"
	"strings"

	"github.com/seed-3506548a/ratelimit"
)

// String returns the limit as [ParseLimit] reads it.
func (l Limit) String() string {
	var b strings.Builder
	if l.Name != "" {
		b.WriteString(l.Name + ": ")
	}
	b.WriteString(string(l.As) + " " + l.Rate.String())
	if l.Burst != 0 {
		name := l.As.burstName()
		if name == "" {
			name = "burst"
		}
		b.WriteString(" " + name + " " + strconv.Itoa(l.Burst))
	}
	if l.Of != "" {
		b.WriteString(" of " + l.Of)
	}
	if len(l.Count) > 0 {
		b.WriteString(" count " + strings.Join(l.Count, ","))
	}
	if l.Shown != nil {
		b.WriteString(" shown " + l.Shown.String())
	}
	if l.Hidden {
		b.WriteString(" hidden")
	}
	return b.String()
}

// ParseLimit reads a limit from one line: an algorithm and a rate, then what is not left out.
//
//	gcra 90/min burst 10
//	log 50/hour
//	counter 600/day buckets 24
//	tokens: interval 90000/min capacity 180000 of tokens
//	failures: aligned 20/hour count 401,4xx shown 10/hour
//	peak: log 10/s hidden
//
// Words are separated by spaces. The order is that of the examples: a name with a colon, the
// algorithm, the rate, burst, capacity or buckets, of, count, shown, hidden. The limit may have no
// name. The error is a [*ratelimit.ArgumentError] also for a limit that [Limit.New] or
// [Policy.Validate] would refuse.
func ParseLimit(s string) (Limit, error) {
	refuse := func(want string) (Limit, error) {
		return Limit{}, &ratelimit.ArgumentError{Func: "policy.ParseLimit", Field: "limit", Value: s, Want: want}
	}
	words := strings.Fields(s)
	var l Limit
	if len(words) > 0 {
		if name, ok := strings.CutSuffix(words[0], ":"); ok {
			if !isName(name) {
				return refuse(wantName + " before the colon")
			}
			l.Name, words = name, words[1:]
		}
	}
	if len(words) < 2 {
		return refuse(`an algorithm and a rate, as in "gcra 90/min"`)
	}
	if l.As = Algorithm(words[0]); !slices.Contains(algorithms, l.As) {
		return refuse(wantAlgorithm + " as the algorithm")
	}
	rate, err := ratelimit.ParseRate(words[1])
	if err != nil {
		return refuse(`a rate after the algorithm, as in "90/min" or "1000/5m"`)
	}
	l.Rate = rate
	if want := l.parseRest(words[2:]); want != "" {
		return refuse(want)
	}
	c := newChecker(nil)
	if c.limit("", &l); len(c.List) > 0 {
		return refuse(strings.TrimPrefix(c.List[0].Path, ".") + ": " + c.List[0].Want)
	}
	return l, nil
}

// parseRest reads what follows after the rate, and returns what would be right.
func (l *Limit) parseRest(words []string) (want string) {
	// value returns the word after the given one, if that is the next.
	value := func(name string) (v string, ok bool) {
		if len(words) < 2 || words[0] != name {
			return "", false
		}
		v, words = words[1], words[2:]
		return v, true
	}
	burst := l.As.burstName()
	if v, ok := value(burst); ok {
		n, err := strconv.Atoi(v)
		if err != nil || n < 1 || v[0] == '+' {
			return "a whole number, 1 or more, after " + burst
		}
		l.Burst = n
	}
	l.Of, _ = value("of")
	if v, ok := value("count"); ok {
		l.Count = strings.Split(v, ",")
	}
	if v, ok := value("shown"); ok {
		shown, err := ratelimit.ParseRate(v)
		if err != nil {
			return `a rate after shown, as in "90/min"`
		}
		l.Shown = &shown
	}
	if len(words) > 0 && words[0] == "hidden" {
		l.Hidden, words = true, words[1:]
	}
	if len(words) == 0 {
		return ""
	}
	if burst != "" {
		burst += " N, "
	}
	return "nothing after the rate but " + burst + "of AMOUNT, count STATUS,..., shown RATE and hidden, in this order; not " +
		quote(strings.Join(words, " "))
}
