package main

import (
	"fmt"
	"io"
	"regexp"
	"runtime"
	"strings"

	"golang.org/x/perf/benchfmt"
	"golang.org/x/perf/benchmath"
)

// measured is what go test -bench has printed: for each row in order, the values of each unit.
type measured struct {
	cpu    string
	names  []string
	values map[string]map[string]*benchmath.Sample
}

// withThreads matches the names of rows that were not measured on one thread only.
var withThreads = regexp.MustCompile(`-\d+$`)

// readMeasured reads it. A row's name is that of its benchmark, with the number of threads if that
// is not the usual one.
func readMeasured(printed io.Reader) (m measured, err error) {
	usual := fmt.Sprintf("-%d", runtime.NumCPU())
	all := map[string]map[string][]float64{}
	reader := benchfmt.NewReader(printed, "benchmarks")
	for reader.Scan() {
		switch result := reader.Result().(type) {
		case *benchfmt.SyntaxError:
			return m, result
		case *benchfmt.Result:
			m.cpu = result.GetConfig("cpu")
			row := result.Name.String()
			if !withThreads.MatchString(row) {
				row += "-1"
			}
			row = strings.TrimSuffix(row, usual)
			if all[row] == nil {
				m.names = append(m.names, row)
				all[row] = map[string][]float64{}
			}
			for _, v := range result.Values {
				all[row][v.Unit] = append(all[row][v.Unit], v.Value)
			}
		}
	}
	m.values = map[string]map[string]*benchmath.Sample{}
	for row, units := range all {
		m.values[row] = map[string]*benchmath.Sample{}
		for unit, values := range units {
			m.values[row][unit] = benchmath.NewSample(values, &benchmath.DefaultThresholds)
		}
	}
	return m, reader.Err()
}

func (m measured) has(row string) bool { return m.values[row] != nil }

// median returns that of a row in a unit, or false if there is none.
func (m measured) median(row, unit string) (benchmath.Summary, bool) {
	sample := m.values[row][unit]
	if sample == nil {
		return benchmath.Summary{}, false
	}
	return benchmath.AssumeNothing.Summary(sample, 0.95), true
}

// nanos returns the median time for an op, and its confidence interval, as "31.0 ± 2%".
func (m measured) nanos(row string) string {
	s, ok := m.median(row, "sec/op")
	if !ok {
		return "—"
	}
	return fmt.Sprintf("%s ± %s", digits(s.Center*1e9), strings.TrimSpace(s.PctRangeString()))
}

// times returns how many times the base row's time for an op goes into the row's, as "1.06 ×"; "~
// 1.01 ×" if the two may be the same, by a Mann-Whitney U test at 5 %.
func (m measured) times(row, base string) string {
	s, ok := m.median(row, "sec/op")
	b, ok2 := m.median(base, "sec/op")
	if !ok || !ok2 {
		return "—"
	}
	same := ""
	if c := benchmath.AssumeNothing.Compare(m.values[base]["sec/op"], m.values[row]["sec/op"]); c.P >= c.Alpha {
		same = "~ "
	}
	return fmt.Sprintf("%s%.2f ×", same, s.Center/b.Center)
}

// digits returns three digits that count.
func digits(v float64) string {
	switch {
	case v < 10:
		return fmt.Sprintf("%.2f", v)
	case v < 100:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.0f", v)
}

// key returns the value of a key in a row's name, or "" if that has none.
func key(row, name string) string {
	for part := range strings.SplitSeq(row, "/") {
		if value, ok := strings.CutPrefix(part, name+"="); ok {
			return value
		}
	}
	return ""
}
