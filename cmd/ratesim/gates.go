package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/seed-3506548a/ratelimit/simulate"
)

// gate is a condition on a result. If it is true, ratesim fails.
type gate struct {
	text, metric, op string
	value            float64
	share            bool
}

// outcome is what gates look at: a result, and how many lines of the trace it lacks.
type outcome struct {
	*simulate.Result
	lost, lines int
}

// metric is what a gate can be about: a number, and of what it is a share.
type metric struct {
	name  string
	value func(r outcome) float64
	of    func(r outcome) float64 // nil: it is no part of anything
	wait  bool                    // it is a length of time
}

var metrics = []metric{
	{"refused", func(r outcome) float64 { return float64(r.Refused) }, offered, false},
	{"granted", func(r outcome) float64 { return float64(r.Granted) }, offered, false},
	{"offered", offered, nil, false},
	{"requests", func(r outcome) float64 { return float64(r.Requests) }, nil, false},
	{"keys", allKeys, nil, false},
	{"keys_refused", func(r outcome) float64 { return float64(r.KeysRefused) }, allKeys, false},
	{"keys_shadow", func(r outcome) float64 { return float64(r.KeysShadow) }, allKeys, false},
	{"never", func(r outcome) float64 { return float64(r.Never) }, tries, false},
	{"shadow", func(r outcome) float64 { return float64(r.Shadow) }, tries, false},
	{"late", func(r outcome) float64 { return float64(r.Late) }, tries, false},
	{"lost", func(r outcome) float64 { return float64(r.lost) }, func(r outcome) float64 { return float64(r.lines) }, false},
	{"newly_refused", func(r outcome) float64 {
		if r.Diff == nil {
			return 0
		}
		return float64(r.Diff.NewlyRefused)
	}, tries, false},
	{"wait", func(r outcome) float64 {
		return seconds(r, func(w *simulate.Waits) simulate.Seconds { return w.Longest })
	}, nil, true},
	{"wait_p50", func(r outcome) float64 {
		return seconds(r, func(w *simulate.Waits) simulate.Seconds { return w.Median })
	}, nil, true},
	{"wait_p90", func(r outcome) float64 {
		return seconds(r, func(w *simulate.Waits) simulate.Seconds { return w.P90 })
	}, nil, true},
	{"wait_p99", func(r outcome) float64 {
		return seconds(r, func(w *simulate.Waits) simulate.Seconds { return w.P99 })
	}, nil, true},
}

func offered(r outcome) float64 { return float64(r.Offered) }
func allKeys(r outcome) float64 { return float64(r.Keys) }
func tries(r outcome) float64   { return float64(r.Requests) }

func seconds(r outcome, of func(*simulate.Waits) simulate.Seconds) float64 {
	if r.Waits == nil {
		return 0
	}
	return time.Duration(of(r.Waits)).Seconds()
}

func metricNames() string {
	names := make([]string, len(metrics))
	for i, m := range metrics {
		names[i] = m.name
	}
	return strings.Join(names, ", ")
}

// parseGate reads 'refused>1%', 'wait>=30s', 'requests<1000'.
func parseGate(text string) (g gate, err error) {
	g.text = text
	compact := strings.ReplaceAll(text, " ", "")
	i := strings.IndexAny(compact, "<>")
	if i < 1 {
		return g, fmt.Errorf("gate %q has no < or >, want one as refused>1%%", text)
	}
	g.metric, g.op = compact[:i], compact[i:i+1]
	rest := compact[i+1:]
	if strings.HasPrefix(rest, "=") {
		g.op, rest = g.op+"=", rest[1:]
	}
	m := g.of()
	if m == nil {
		return g, fmt.Errorf("gate %q is about %q, want one of %s", text, g.metric, metricNames())
	}
	if m.wait {
		length, wrong := time.ParseDuration(rest)
		if wrong != nil {
			return g, fmt.Errorf("gate %q compares with %q, want a length of time as 30s", text, rest)
		}
		g.value = length.Seconds()
		return g, nil
	}
	rest, g.share = strings.CutSuffix(rest, "%")
	if g.share && m.of == nil {
		return g, fmt.Errorf("gate %q compares with a share, but %s is a part of nothing: want a number", text, g.metric)
	}
	if g.value, err = strconv.ParseFloat(rest, 64); err != nil || math.IsNaN(g.value) || math.IsInf(g.value, 0) {
		return g, fmt.Errorf("gate %q compares with %q, want a number or a share as 1%%", text, rest)
	}
	return g, nil
}

func (g *gate) of() *metric {
	for i := range metrics {
		if metrics[i].name == g.metric {
			return &metrics[i]
		}
	}
	return nil
}

// holds reports whether the condition is true, and what there was.
func (g *gate) holds(r outcome) (bool, string) {
	m := g.of()
	value := m.value(r)
	if g.share {
		if whole := m.of(r); whole > 0 {
			value = 100 * value / whole // in this order, 11 of 44 are 25 exactly
		} else {
			value = 0
		}
	}
	holds := map[string]bool{">": value > g.value, ">=": value >= g.value, "<": value < g.value, "<=": value <= g.value}[g.op]
	switch {
	case m.wait:
		return holds, time.Duration(math.Round(value * 1e9)).String()
	case !g.share:
		return holds, strconv.FormatFloat(value, 'f', -1, 64)
	}
	for digits := 3; ; digits++ { // more than three if it would look like the bound
		text := strconv.FormatFloat(value, 'g', digits, 64)
		if rounded, _ := strconv.ParseFloat(text, 64); rounded != g.value || rounded == value {
			return holds, text + " %"
		}
	}
}

// parseShare reads "1%" or "0.01".
func parseShare(s string) (float64, error) {
	text, percent := strings.CutSuffix(strings.TrimSpace(s), "%")
	share, err := strconv.ParseFloat(text, 64)
	if percent {
		share /= 100
	}
	if err != nil || !(share >= 0 && share < 1) {
		return 0, fmt.Errorf("the share is %q, want 0%% to less than 100%%", s)
	}
	return share, nil
}
