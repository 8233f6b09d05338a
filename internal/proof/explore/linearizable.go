//go:build explore

package explore

import (
	"fmt"
	"slices"
	"strings"
)

// outcome is all that matters of a schedule: what the callers were told, which call was over before
// which began, and the end.
func (e *execution[M]) outcome() string {
	var b strings.Builder
	var all []call
	for _, t := range e.threads {
		all = append(all, t.calls...)
	}
	for i, c := range all {
		fmt.Fprint(&b, c.told)
		for j, d := range all {
			if i != j && c.end < d.begin {
				fmt.Fprint(&b, " <", j)
			}
		}
		b.WriteByte('\n')
	}
	fmt.Fprint(&b, e.final)
	return b.String()
}

// linearizable reports whether there is an order of the calls, in which none comes before one that
// was over when it began, such that the model tells each caller the same, and is the same in the
// end.
func (e *execution[M]) linearizable() bool {
	return e.explain(e.Model(), make([]int, len(e.threads)))
}

func (e *execution[M]) explain(m M, done []int) bool {
	over := true
	for i, t := range e.threads {
		if done[i] == len(t.calls) {
			continue
		}
		over = false
		if !e.minimal(t.calls[done[i]], done) {
			continue
		}
		after := slices.Clone(done)
		after[i]++
		operation, told, next := e.Callers[i][done[i]], t.calls[done[i]].told, e.Clone(m)
		if operation.Model(next) == told && e.explain(next, after) {
			return true
		}
		if operation.Lost != nil && operation.Lost(told) && e.explain(m, after) {
			return true
		}
	}
	return over && e.Explain(m) == e.final
}

// minimal reports whether none of the calls not done yet was over when c began.
func (e *execution[M]) minimal(c call, done []int) bool {
	for i, t := range e.threads {
		if done[i] < len(t.calls) && t.calls[done[i]].end < c.begin {
			return false
		}
	}
	return true
}

func (e *execution[M]) describe(path []choice) string {
	var b strings.Builder
	fmt.Fprint(&b, "schedule of callers:")
	for i, c := range path {
		if i == 200 {
			fmt.Fprint(&b, " ...")
			break
		}
		fmt.Fprint(&b, " ", c.callers[c.chosen])
	}
	for i, t := range e.threads {
		for j, c := range t.calls {
			fmt.Fprintf(&b, "\ncaller %d, steps %d to %d: %s told %+v", i, c.begin, c.end, e.Callers[i][j].Name, c.told)
		}
	}
	fmt.Fprintf(&b, "\nin the end: %+v", e.final)
	return b.String()
}
