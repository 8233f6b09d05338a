package main

import (
	"encoding/csv"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"

	"github.com/seed-3506548a/ratelimit/bench/report/peers/bugs"
)

// limitersOf returns the limiters of the rows whose names begin so, in order.
func limitersOf(m measured, begin string) (names []string) {
	for _, row := range m.names {
		if name := key(row, "limiter"); strings.HasPrefix(row, begin) && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// peersTable compares Allow of each limiter with gcra's.
func peersTable(m measured) string {
	var b strings.Builder
	fmt.Fprintf(&b, "| ns per `Allow` | granted | of gcra | refused | of gcra | granted, on %[1]d cores | of gcra | refused, on %[1]d cores | of gcra | B/op, allocs/op granted |\n"+
		"|---|---|---|---|---|---|---|---|---|---|\n", runtime.NumCPU())
	for _, name := range limitersOf(m, "Allow/") {
		fmt.Fprintf(&b, "| %s |", name)
		for _, kind := range []string{"Allow", "AllowParallel"} {
			for _, outcome := range []string{"granted", "refused"} {
				row := func(limiter string) string { return kind + "/limiter=" + limiter + "/outcome=" + outcome }
				fmt.Fprintf(&b, " %s | %s |", m.nanos(row(name)), m.times(row(name), row("gcra")))
			}
		}
		row := "Allow/limiter=" + name + "/outcome=granted"
		size, _ := m.median(row, "B/op")
		allocs, _ := m.median(row, "allocs/op")
		fmt.Fprintf(&b, " %.0f, %.0f |\n", size.Center, allocs.Center)
	}
	return b.String()
}

// numbersTable is the README's: some of peersTable.
func numbersTable(m measured) string {
	var b strings.Builder
	fmt.Fprintf(&b, "| ns per `Allow` | granted | refused | granted, on %[1]d cores | refused, on %[1]d cores |\n|---|---|---|---|---|\n", runtime.NumCPU())
	for _, name := range []string{"floor", "gcra", "gcra-striped", "x-time-rate", "uber", "failsafe-bursty", "sethvargo", "throttled"} {
		fmt.Fprintf(&b, "| %s |", name)
		for _, kind := range []string{"Allow", "AllowParallel"} {
			for _, outcome := range []string{"granted", "refused"} {
				fmt.Fprintf(&b, " %s |", m.nanos(kind+"/limiter="+name+"/outcome="+outcome))
			}
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// limitersTable has every row of bench but those of many callers, which have tables of their own,
// beside the one that shows what it cannot do without.
func limitersTable(m measured) string {
	var b strings.Builder
	b.WriteString("| | ns | of its floor | single calls |\n|---|---|---|---|\n")
	for _, row := range m.names {
		if strings.HasPrefix(row, "Contention") || strings.HasPrefix(row, "AtLimit") {
			continue
		}
		single := ""
		if p50, ok := m.median(row, "p50-sec"); ok {
			p99, _ := m.median(row, "p99-sec")
			p999, _ := m.median(row, "p999-sec")
			single = fmt.Sprintf("p50 %.0f, p99 %.0f, p99.9 %.0f ns", p50.Center*1e9, p99.Center*1e9, p999.Center*1e9)
		}
		of := ""
		if base := floorOf(m, row); base != row {
			of = m.times(row, base)
		}
		if each, ok := m.median(row, "sec/event"); ok {
			fmt.Fprintf(&b, "| %s | %s an event | %s | |\n", row, digits(each.Center*1e9), of)
			continue
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", row, m.nanos(row), of, single)
	}
	return b.String()
}

// floorOf returns the row that another is measured by, or itself.
func floorOf(m measured, row string) string {
	limiter := key(row, "limiter")
	floor := "floor"
	if limiter == "fixedwindow-aligned" {
		floor = "floor-wall"
	}
	outcome := key(row, "outcome")
	as := func(limiter, tail string) string {
		return strings.SplitN(row, "/", 2)[0] + "/limiter=" + limiter + "/outcome=" + outcome + tail
	}
	tail := strings.TrimPrefix(row, as(limiter, ""))
	switch {
	case strings.HasPrefix(row, "Compositions/"):
		return as("members", "")
	case strings.HasPrefix(row, "Replay/"):
		return "Replay/how=bare"
	case limiter == "keyed-table" || strings.HasPrefix(limiter, "floor"):
		return row
	case key(row, "clock") == "coarse":
		return as("floor", "/clock=none")
	case key(row, "via") != "":
		return "Allow/limiter=" + limiter + "/outcome=" + outcome
	case m.has(as(floor, tail)):
		return as(floor, tail)
	case m.has(as("floor", tail)):
		return as("floor", tail)
	case m.has("Allow/limiter=" + floor + "/outcome=" + outcome):
		return "Allow/limiter=" + floor + "/outcome=" + outcome
	}
	return row
}

// guarantees are what limiters keep when many callers ask, in the words of their documentation or
// as their code is.
var guarantees = map[string]string{
	"floor":                 "none",
	"gcra":                  "burst + rate × t in every interval, for times in any order",
	"gcra-striped":          "the same; it may refuse a little more",
	"tokenbucket":           "as gcra",
	"tokenbucket-interval":  "capacity + rate × t, rounded up to intervals",
	"fixedwindow-anchored":  "a limit in each window of its own",
	"fixedwindow-aligned":   "a limit in each window of the clock",
	"slidingwindow-counter": "a limit in every window",
	"x-time-rate":           "burst + rate × t, if times come in order; a mutex",
	"uber":                  "spacing, with a slack of 10 events",
	"juju":                  "capacity + rate × t, by its own clock; a mutex",
	"failsafe-smooth":       "spacing, by its own clock; a mutex",
	"failsafe-bursty":       "a limit in each period of its own; a mutex",
}

// crowdsTable has what grants cost to many callers, and what limiters guarantee to them.
func crowdsTable(m measured) string {
	var b strings.Builder
	fmt.Fprintf(&b, "| ns per granted `Allow` | on %d cores | of gcra | 32 callers a core | of gcra | guarantees |\n|---|---|---|---|---|---|\n", runtime.NumCPU())
	for _, name := range limitersOf(m, "AllowCrowded/") {
		if guarantees[name] == "" {
			continue // stores of keys
		}
		fmt.Fprintf(&b, "| %s |", name)
		for _, kind := range []string{"AllowParallel", "AllowCrowded"} {
			row := func(limiter string) string { return kind + "/limiter=" + limiter + "/outcome=granted" }
			fmt.Fprintf(&b, " %s | %s |", m.nanos(row(name)), m.times(row(name), row("gcra")))
		}
		fmt.Fprintf(&b, " %s |\n", guarantees[name])
	}
	return b.String()
}

// contentionTable has what grants cost to one caller and to many at once, of the floors and of each
// limiter.
func contentionTable(m measured) string {
	var b strings.Builder
	fmt.Fprintf(&b, "| ns per granted `Allow` | 1 caller | %d cores | 32 callers a core | %[1]d cores, coarse clock | least share of a caller |\n|---|---|---|---|---|---|\n", runtime.NumCPU())
	for _, name := range limitersOf(m, "Contention/") {
		row := "Contention/limiter=" + name + "/outcome=granted/callers="
		least, _ := m.median(row+"cores", "least-share")
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %.2f |\n", name, m.nanos(row+"1"), m.nanos(row+"cores"), m.nanos(row+"32-a-core"),
			m.nanos("ContentionByClock/limiter="+name+"/outcome=granted/callers=cores/clock=coarse"), least.Center)
	}
	return b.String()
}

// atLimitTable has which part of the rate is granted to callers that ask for more.
func atLimitTable(m measured) string {
	rates := []string{"100000", "1000000", "10000000"}
	var b strings.Builder
	b.WriteString("| granted, of the rate | callers | 100,000/s | 1,000,000/s | 10,000,000/s |\n|---|---|---|---|---|\n")
	for _, callers := range []string{"cores", "32-a-core"} {
		for _, name := range limitersOf(m, "AtLimit/") {
			fmt.Fprintf(&b, "| %s | %s |", name, callers)
			for _, rate := range rates {
				of, _ := m.median("AtLimit/limiter="+name+"/outcome=mixed/callers="+callers+"/rate="+rate, "of-rate")
				fmt.Fprintf(&b, " %.3f |", of.Center)
			}
			b.WriteByte('\n')
		}
	}
	return b.String()
}

// racesTable has the cost of a grant and the lost races in it, by how many threads run the callers.
func racesTable(m measured) string {
	threads := []string{"-1", "", "-8"}
	var b strings.Builder
	fmt.Fprintf(&b, "| granted | 1 thread | %[1]d | 8 | lost races, of 1 | %[1]d | 8 |\n|---|---|---|---|---|---|---|\n", runtime.NumCPU())
	for _, name := range limitersOf(m, "AllowByMany/") {
		fmt.Fprintf(&b, "| %s |", name)
		row := "AllowByMany/limiter=" + name + "/outcome=granted/callers=cores"
		for _, n := range threads {
			fmt.Fprintf(&b, " %s |", m.nanos(row+n))
		}
		for _, n := range threads {
			failed, _ := m.median(row+n, "failed-cas/op")
			fmt.Fprintf(&b, " %.3f |", failed.Center)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// storesTable has the stores of keys by traffic, for the most keys that each was measured with, and
// what they take.
func storesTable(m measured) string {
	traffic := []string{"random/keys=1000", "random/keys=1000000", "random/keys=10000000", "first/keys=1000000", "hot/keys=1000", "refused/keys=1000"}
	var b strings.Builder
	b.WriteString("| ns per decision | of 1000 keys, random | of 1,000,000, random | of keyed-table | of 10,000,000 | of keyed-table | first seen | of keyed-table | always the same | refused | B/key | garbage collection |\n|---|---|---|---|---|---|---|---|---|---|---|---|\n")
	for _, name := range limitersOf(m, "Keyed/") {
		fmt.Fprintf(&b, "| %s |", name)
		for _, t := range traffic {
			row := "Keyed/traffic=" + t + "/limiter="
			fmt.Fprintf(&b, " %s |", m.nanos(row+name))
			if strings.HasSuffix(t, "000000") {
				fmt.Fprintf(&b, " %s |", m.times(row+name, row+"keyed-table"))
			}
		}
		row := "KeyedMemory/limiter=" + name
		size, _ := m.median(row, "B/key")
		gc, _ := m.median(row, "gc-ms")
		fmt.Fprintf(&b, " %.0f | %.0f ms |\n", size.Center, gc.Center)
	}
	return b.String()
}

// bugsTable has the bugs of peers, and what is seen of each. It is an error if one is not there.
func bugsTable(versions map[string]string) (string, error) {
	var b strings.Builder
	b.WriteString("| limiter | version | what | seen here |\n|---|---|---|---|\n")
	for _, bug := range bugs.All() {
		what, version := bug.What, versions[bug.Module]
		if bug.Arch != "" {
			what += " (" + bug.Arch + ")"
		}
		seen, wrong := bug.See()
		if !wrong {
			return "", fmt.Errorf("%s %s has no such bug: %s: %s", bug.Module, version, what, seen)
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", bug.Module, version, what, seen)
	}
	return b.String(), nil
}

// replace puts text between two marks of a page.
func replace(page, mark, text string) error {
	old, err := os.ReadFile(page)
	if err != nil {
		return err
	}
	begin, end := "<!-- "+mark+" -->\n", "<!-- end of "+mark+" -->\n"
	head, rest, ok := strings.Cut(string(old), begin)
	_, tail, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		return fmt.Errorf("%s has no %s and %s", page, begin, end)
	}
	return os.WriteFile(page, []byte(head+begin+"\n"+text+"\n"+end+tail), 0o644)
}

func writeCosts(to string, m measured) error {
	lines := [][]string{{"limiter", "granted ns", "refused ns"}}
	for _, name := range limitersOf(m, "Allow/") {
		line := []string{name}
		for _, outcome := range []string{"granted", "refused"} {
			s, _ := m.median("Allow/limiter="+name+"/outcome="+outcome, "sec/op")
			line = append(line, fmt.Sprintf("%.1f", s.Center*1e9))
		}
		lines = append(lines, line)
	}
	return writeCSV(to, lines)
}

func writeKeys(to string, m measured) error {
	lines := [][]string{{"store", "keys", "ns"}}
	for _, row := range m.names {
		if key(row, "traffic") == "random" {
			s, _ := m.median(row, "sec/op")
			lines = append(lines, []string{key(row, "limiter"), key(row, "keys"), fmt.Sprintf("%.0f", s.Center*1e9)})
		}
	}
	return writeCSV(to, lines)
}

func writeCSV(to string, lines [][]string) error {
	file, err := os.Create(to)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	return csv.NewWriter(file).WriteAll(lines)
}
