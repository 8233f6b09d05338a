package simulate

import (
	"fmt"
	"math"
	"strings"
	"time"
	"unicode"
)

// String returns the report in a few lines.
func (r Report) String() string {
	waits := r.Waits(0.5, 1)
	s := fmt.Sprintf("%d requests for %d events: %d granted, %d refused (%s)", r.Requests, r.Offered, r.Granted, r.Refused, percent(int64(r.Refused), int64(r.Offered)))
	if r.refused.length > 0 {
		s += fmt.Sprintf("\nwaits: median %v, longest %v", rounded(waits[0]), rounded(waits[1]))
	}
	if r.Never > 0 {
		s += fmt.Sprintf("\n%d requests could never be granted", r.Never)
	}
	return s
}

// String returns the result as people read it.
func (r *Result) String() string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("%s: %d requests in %v, clients: %s", r.Name, r.Requests, rounded(r.Last.Sub(r.First)), r.Client)
	line("  offered %d, granted %d, refused %d (%s), to %d of %d keys (%s)", r.Offered, r.Granted, r.Refused,
		percent(r.Refused, r.Offered), r.KeysRefused, r.Keys, percent(int64(r.KeysRefused), int64(r.Keys)))
	if r.Late > 0 {
		line("  %d requests came late, by %v at most: they were put in order", r.Late, r.LateBy)
	}
	var by []string
	for _, a := range r.Actions {
		by = append(by, fmt.Sprintf("%s %d", a.Action, a.Requests))
	}
	if len(by) > 0 {
		line("  requests refused by: %s", strings.Join(by, ", "))
	}
	if w := r.Waits; w != nil {
		line("  waits: median %v, 90%% %v, 99%% %v, longest %v", w.Median, w.P90, w.P99, w.Longest)
	}
	if r.Never > 0 {
		line("  refused for ever: %d requests", r.Never)
	}
	if c := r.Clients; c != nil {
		line("  clients: %d retries, %d requests granted late (median %v, longest %v), %d given up", c.Retries, c.GrantedLate, c.MedianDelay, c.LongestDelay, c.GaveUp)
	}
	r.limits(line)
	for _, s := range r.Steps {
		line("  %s: %s after %d strikes, %d times", s.Rule, s.Do, s.After, s.Times)
	}
	if r.Shadow > 0 {
		line("  rules in shadow would have refused %d requests, of %d of %d keys", r.Shadow, r.KeysShadow, r.Keys)
	}
	r.keys(line)
	if r.Diff != nil {
		r.Diff.print(line)
	}
	return b.String()
}

func (r *Result) limits(line func(string, ...any)) {
	if len(r.Limits) == 0 {
		return
	}
	wide, limit := 40, 22
	for i := range r.Limits {
		wide, limit = max(wide, len(r.Limits[i].title())), max(limit, len(r.Limits[i].Limit))
	}
	line("  %-*s %-*s %10s %22s", wide, "limit", limit, "", "refused", "most granted")
	for _, l := range r.Limits {
		most := fmt.Sprintf("%d in %v", l.MostGranted, span(l.Per))
		if l.AtLeast {
			most = "at least " + most
		}
		line("  %-*s %-*s %10d %22s", wide, l.title(), limit, l.Limit, l.Refused, most)
	}
}

// title returns the limit's name, behind that of its rule.
func (l *Limit) title() string {
	name := l.Name
	if l.Rule != "" {
		name = l.Rule + "/" + l.Name
	}
	if l.Mode != "" {
		name += " (" + l.Mode + ")"
	}
	return name
}

func (r *Result) keys(line func(string, ...any)) {
	if r.KeysRefused+r.KeysShadow == 0 || r.Keys < 2 || len(r.Worst) == 0 {
		return
	}
	if worst := &r.Worst[0]; worst.Refused == 0 && worst.Shadow == 0 { // only requests that cost nothing were refused
		return
	}
	shadow := func(column any) string {
		if r.KeysShadow == 0 {
			return ""
		}
		return fmt.Sprintf(" %10v", column)
	}
	line("  %-40s %10s %10s %10s%s", "worst keys", "offered", "granted", "refused", shadow("in shadow"))
	for _, k := range r.Worst {
		if k.Refused > 0 || k.Shadow > 0 {
			line("  %-40s %10d %10d %10d%s", key(k.Key), k.Offered, k.Granted, k.Refused, shadow(k.Shadow))
		}
	}
}

func (d *Diff) print(line func(string, ...any)) {
	line("  beside %s: newly refused %d requests (keys: %d), newly granted %d (keys: %d)", d.From, d.NewlyRefused, d.KeysRefused, d.NewlyGranted, d.KeysGranted)
	for _, k := range d.Worst {
		line("  %-40s %10d newly refused %10d newly granted", key(k.Key), k.NewlyRefused, k.NewlyGranted)
	}
}

// key returns a key as it is printed: what could steer a terminal is replaced.
func key(name string) string {
	if name == "" {
		return "(no key)"
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '\uFFFD'
	}, name)
}

// span returns a length as in a rate: "5m", not "5m0s".
func span(s Seconds) string {
	text := time.Duration(s).String()
	if strings.HasSuffix(text, "m0s") {
		text = text[:len(text)-2]
	}
	if strings.HasSuffix(text, "h0m") {
		text = text[:len(text)-2]
	}
	return text
}

func percent(part, whole int64) string {
	if whole == 0 {
		return "0 %"
	}
	share := 100 * float64(part) / float64(whole)
	switch {
	case part < whole && share >= 99: // which is not all
		return fmt.Sprintf("%.1f %%", math.Floor(1000*float64(part)/float64(whole))/10)
	case part == 0 || share >= 10:
		return fmt.Sprintf("%.0f %%", share)
	default:
		return fmt.Sprintf("%.3g %%", share)
	}
}
