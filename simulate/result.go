package simulate

import (
	"strconv"
	"time"
)

// Result is what became of requests, by one judge. Its JSON is stable: names keep their meaning,
// and new ones may come; Schema changes otherwise. Requests count as often as they were tried.
//
// Requests, Never, Shadow, Unlimited, Actions and Clients count requests. The others count events,
// so a request that costs n counts n times.
type Result struct {
	Schema int    `json:"schema"`
	Name   string `json:"name"`
	Client string `json:"client"`

	First time.Time `json:"first"`
	Last  time.Time `json:"last"`

	Requests int   `json:"requests"`
	Offered  int64 `json:"offered"`
	Granted  int64 `json:"granted"`
	Refused  int64 `json:"refused"`
	Never    int   `json:"never"`  // refused for ever: more than a limit holds, a missing key, a revocation
	Shadow   int64 `json:"shadow"` // granted, but refused by a rule in shadow

	// Unlimited are requests that no rule of a policy was for, and none exempted.
	Unlimited int `json:"unlimited"`

	Keys        int  `json:"keys"`
	KeysRefused int  `json:"keys_refused"`
	KeysShadow  int  `json:"keys_shadow,omitempty"` // with requests that a rule in shadow would have refused
	MoreKeys    bool `json:"more_keys,omitempty"`   // there were more: all of these are one

	Late   int     `json:"late"`    // requests that came after a later one
	LateBy Seconds `json:"late_by"` // the most, of these

	Actions []Acted   `json:"actions"` // what has refused requests
	Limits  []Limit   `json:"limits"`
	Steps   []Reached `json:"steps,omitempty"` // of ladders
	Waits   *Waits    `json:"waits,omitempty"` // nil: nothing was refused but for ever
	Worst   []Key     `json:"worst"`           // the most refused first, then the most in shadow
	Clients *Clients  `json:"clients,omitempty"`
	Diff    *Diff     `json:"diff,omitempty"` // from the first of several

	BinWidth  Seconds `json:"bin_width"`
	Bins      []Bin   `json:"bins"`
	HeatWidth Seconds `json:"heat_width"` // of the bins of keys
}

// Acted is how many requests an action has refused.
type Acted struct {
	Action   string `json:"action"`
	Requests int    `json:"requests"`
}

// Limit is what a limit did.
type Limit struct {
	Rule  string `json:"rule,omitempty"`
	Name  string `json:"name"`
	Limit string `json:"limit"`          // as policy.ParseLimit reads it
	Mode  string `json:"mode,omitempty"` // of its rule

	// Refused are the events of requests that the limit did not grant. In rules with mode watch or
	// shadow, they are those that it would not have granted of requests that no rule refused.
	Refused int64 `json:"refused"`

	// MostGranted are the most events that were granted to one key within any half-open span of the
	// rate's length. A key with an override may have got more than Limit. If AtLeast, it may be
	// more: then there were more grants in such spans than are kept.
	MostGranted int64   `json:"most_granted"`
	AtLeast     bool    `json:"at_least,omitempty"`
	MostKey     string  `json:"most_key,omitempty"` // to whom
	Per         Seconds `json:"per"`
}

// Reached is how often a step of a ladder was reached.
type Reached struct {
	Rule   string  `json:"rule"`
	Do     string  `json:"do"`
	After  int     `json:"after"`
	Within Seconds `json:"within"`
	Times  int     `json:"times"`
}

// Waits are the RetryAfter of requests that were refused, and not for ever.
type Waits struct {
	Median  Seconds `json:"median"`
	P90     Seconds `json:"p90"`
	P99     Seconds `json:"p99"`
	Longest Seconds `json:"longest"`
	Cells   []Cell  `json:"-"` // all of them, the shortest first
}

// Cell is how many waits were about that long.
type Cell struct {
	Wait     Seconds
	Requests int
}

// Key is what became of the requests of a key.
type Key struct {
	Key     string  `json:"key"`
	Offered int64   `json:"offered"`
	Granted int64   `json:"granted"`
	Refused int64   `json:"refused"`
	Shadow  int64   `json:"shadow,omitempty"` // requests that were granted, but refused by a rule in shadow
	Bins    []Cells `json:"-"`                // over time, since the first refusal
	Busy    *Busy   `json:"-"`                // nil: nothing was refused, or too many keys were
}

// Cells are events of a key in a bin.
type Cells struct{ Granted, Refused int64 }

// Bin is what became of the events in a time.
type Bin struct {
	At      time.Time `json:"at"`
	Offered int64     `json:"offered"`
	Granted int64     `json:"granted"`
	Refused int64     `json:"refused"`
}

// Clients is what clients did when they were refused.
type Clients struct {
	Retries      int     `json:"retries"`
	GrantedLate  int     `json:"granted_late"` // requests that were granted, but later than they were due
	GaveUp       int     `json:"gave_up"`
	MedianDelay  Seconds `json:"median_delay"` // of those granted late
	LongestDelay Seconds `json:"longest_delay"`
}

// Seconds is a length of time, in JSON a number of seconds.
type Seconds time.Duration

// MarshalJSON implements [encoding/json.Marshaler].
func (s Seconds) MarshalJSON() ([]byte, error) {
	return strconv.AppendFloat(nil, time.Duration(s).Seconds(), 'f', -1, 64), nil
}

// UnmarshalJSON implements [encoding/json.Unmarshaler].
func (s *Seconds) UnmarshalJSON(text []byte) error {
	f, err := strconv.ParseFloat(string(text), 64)
	*s = Seconds(f * float64(time.Second))
	return err
}

// String returns the length in units that are read easily.
func (s Seconds) String() string { return rounded(time.Duration(s)).String() }

// rounded returns a length with three digits, and one of hours in minutes.
func rounded(d time.Duration) time.Duration {
	for unit := time.Duration(1); unit < time.Minute; unit *= 10 {
		if d < 1000*unit {
			return d.Round(unit)
		}
	}
	return d.Round(time.Minute)
}
