package chart

import (
	"crypto/sha256"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit/cmd/ratesim/internal/draw"
	"github.com/seed-3506548a/ratelimit/simulate"
)

var (
	update = flag.Bool("update", false, "take the pictures as they are drawn now")
	folder = flag.String("folder", "", "write the pictures into this folder, to be looked at")
)

const sums = "testdata/pictures.sum"

// TestPictures draws pictures of results that are hard to draw, and compares them with how they
// were when somebody looked at them. After a change of one,
//
//	go test ./internal/chart -run TestPictures -update -folder /tmp/pictures
//
// draws all of them to be looked at again.
func TestPictures(t *testing.T) {
	var now strings.Builder
	for _, p := range examples() {
		fmt.Fprintf(&now, "%x %s\n", sha256.Sum256([]byte(p.SVG())), p.Name)
		if *folder != "" {
			require.NoError(t, os.MkdirAll(*folder, 0o777))
			require.NoError(t, os.WriteFile(filepath.Join(*folder, p.Name+".svg"), []byte(p.SVG()), 0o666))
			file, err := os.Create(filepath.Join(*folder, p.Name+".png"))
			require.NoError(t, err)
			require.NoError(t, p.PNG(file))
			require.NoError(t, file.Close())
		}
	}
	if *update {
		require.NoError(t, os.WriteFile(sums, []byte(now.String()), 0o666))
	}
	was, err := os.ReadFile(sums)
	require.NoError(t, err)
	require.Equal(t, string(was), now.String(), "some are drawn otherwise now")
}

var noon = time.Date(2026, 3, 1, 11, 59, 58, 700_000_000, time.FixedZone("", 3600))

// examples are the pictures of results that are hard to draw.
func examples() (all []Picture) {
	add := func(name string, p *draw.Picture) { all = append(all, Picture{name, "", p}) }

	// Bins that differ in their width, a name that is too long, and a result with nothing in it.
	add("timeline-several", timeline([]*simulate.Result{
		result("gcra 60/min burst 30", 10*time.Second, []int64{5, 40, 9, 0, 7}, []int64{0, 60, 20, 0, 1}),
		result(strings.Repeat("a name without an end ", 9), time.Minute, []int64{100, 0, 240}, []int64{1, 3, 0}),
		{Name: "nothing"},
	}))
	add("timeline-one", timeline([]*simulate.Result{result("log 5/s", time.Millisecond, []int64{1}, []int64{0})}))
	add("timeline-millions", timeline([]*simulate.Result{result("log 5/s", 7*24*time.Hour, []int64{3e9, 2e9, 1e9}, []int64{1e9, 0, 5e8})}))

	for _, row := range []struct {
		name    string
		limits  []simulate.Limit
		first   int64
		granted []int64
		refused []int64
		more    int64 // refused after what is shown
	}{
		{name: "gcra", limits: []simulate.Limit{{Limit: "gcra 60/min burst 30", Refused: 9}}, first: 1, granted: []int64{1, 9, 10, 10}, refused: []int64{1, 0, 8, 0}},
		{name: "gcra-half-used", limits: []simulate.Limit{{Limit: "gcra 60/min burst 30", Refused: 9}}, first: 11, granted: []int64{11, 9, 10, 10}, refused: []int64{1, 0, 8, 0}},
		{name: "interval", limits: []simulate.Limit{{Limit: "interval 10/10s capacity 20", Refused: 9}}, first: 6, granted: []int64{5, 10, 0, 10}, refused: []int64{1, 0, 8, 0}},
		{name: "anchored", limits: []simulate.Limit{{Limit: "anchored 10/10s", Refused: 9}}, first: 6, granted: []int64{5, 10, 0, 10}, refused: []int64{1, 0, 8, 0}},
		{name: "aligned", limits: []simulate.Limit{{Limit: "aligned 10/10s", Refused: 9}}, granted: []int64{5, 10, 0, 10}, refused: []int64{1, 0, 8, 0}},
		{name: "log", limits: []simulate.Limit{{Limit: "log 10/10s", Refused: 9}}, first: 6, granted: []int64{5, 10, 0, 10}, refused: []int64{1, 0, 8, 0}, more: 7},
		{name: "without-limit", limits: []simulate.Limit{{Limit: "log 10/10s", Refused: 9, Mode: "shadow"}, {Limit: "log 0/10s", Refused: 1}}, granted: []int64{5, 1}, refused: []int64{1, 0}},
		{name: "gcra-without-burst", limits: []simulate.Limit{{Limit: "log 10/10s", Refused: 9, Mode: "watch"}, {Limit: "gcra 30/min", Refused: 1}}, first: 40,
			granted: []int64{1, 9, 10, 10}, refused: []int64{1, 0, 8, 0}},
		{name: "refused-by-no-limit", limits: []simulate.Limit{{Limit: "log 10/10s"}}, granted: []int64{5, 1}, refused: []int64{1, 0}},
		{name: "one", limits: []simulate.Limit{}, granted: []int64{0}, refused: []int64{1}},
		{name: "beyond-the-frame-in-between", limits: []simulate.Limit{{Limit: "log 10/10s", Refused: 9}}, granted: []int64{5, 0, 10, 10, 0}, refused: []int64{1, 80, 0, 0, 1}},
		{name: "numbers-without-an-end", limits: []simulate.Limit{{Limit: "log 10/10s", Refused: 9}}, granted: []int64{1e17, 2e17}, refused: []int64{3e17, 4e17}, more: 7},
		{name: "the-first-of-those-that-refused-most", limits: []simulate.Limit{{Limit: "log 20/10s", Refused: 9}, {Limit: "log 90/10s", Refused: 8}, {Limit: "log 80/10s", Refused: 9}},
			first: 6, granted: []int64{5, 1}, refused: []int64{1, 0}},
		{name: "the-one-that-refused-most", limits: []simulate.Limit{{Limit: "log 90/10s", Refused: 8}, {Limit: "log 20/10s", Refused: 9}, {Limit: "log 80/10s", Refused: 9}},
			first: 6, granted: []int64{5, 1}, refused: []int64{1, 0}},
		{name: "beyond-the-frame-early", limits: []simulate.Limit{{Limit: "log 10/10s", Refused: 9}}, granted: []int64{5, 10, 0, 10}, refused: []int64{1, 900, 8, 0}},
		{name: "beyond-the-frame-late", limits: []simulate.Limit{{Limit: "log 10/10s", Refused: 9}}, granted: []int64{5, 10, 0, 10}, refused: []int64{1, 0, 8, 90_000}},
		{name: "at-the-top", limits: []simulate.Limit{{Limit: "log 10/10s", Refused: 9}}, granted: []int64{5, 5, 10, 10}, refused: []int64{1, 4, 65, 0}},
	} {
		r := result(row.name, 5*time.Second, []int64{1}, []int64{1})
		r.Limits = row.limits
		busy := &simulate.Busy{From: noon, Width: simulate.Seconds(5 * time.Second), First: row.first}
		k := simulate.Key{Key: "u1", Busy: busy, Refused: row.more}
		if row.name == "log" {
			k.Key = ""
		}
		for i, g := range row.granted {
			busy.Bins = append(busy.Bins, simulate.Cells{Granted: g, Refused: row.refused[i]})
			k.Refused += row.refused[i]
		}
		r.Worst = []simulate.Key{k}
		add("cumulative-"+row.name, cumulative(r))
	}

	// Every share, rows of several lengths, a key without a name and one whose name is too long.
	r := result("log 5/s", time.Minute, []int64{1}, []int64{1})
	r.HeatWidth = simulate.Seconds(time.Hour)
	shares := simulate.Key{Key: "192.0.2.1", Refused: 55}
	for refused := range int64(11) {
		shares.Bins = append(shares.Bins, simulate.Cells{Granted: 10 - refused, Refused: refused})
	}
	r.Worst = []simulate.Key{
		shares,
		{Refused: 20_000, Bins: []simulate.Cells{{}, {Refused: 20_000}, {Granted: 1}}},
		{Key: strings.Repeat("long ", 20), Refused: 1, Bins: []simulate.Cells{{Refused: 1}}},
		{Key: "in shadow only", Shadow: 7},
	}
	add("keys", heat(r))
	r.Name = strings.Repeat("a name without an end ", 9)
	r.Worst = r.Worst[1:2]
	r.Worst[0].Bins = nil
	add("keys-without-bins", heat(r))

	for name, cells := range map[string][]simulate.Cell{
		"short":           {told(time.Millisecond, 3), told(2*time.Millisecond, 5), told(2500*time.Microsecond, 4)},
		"long":            {told(time.Second, 30_000), told(10*time.Minute, 200), told(65*time.Minute, 12_000)},
		"forty":           {told(0, 1), told(40*time.Second, 2)},
		"more-than-forty": {told(0, 1), told(40500*time.Millisecond, 2), told(40600*time.Millisecond, 2)},
		"years":           {told(time.Hour, 1), told(250*365*24*time.Hour, 2)},
	} {
		r := result("gcra 1/min", time.Minute, []int64{1}, []int64{1})
		longest := cells[len(cells)-1].Wait
		r.Waits = &simulate.Waits{Median: cells[len(cells)/2].Wait, P99: longest, Longest: longest, Cells: cells}
		add("waits-"+name, waits(r))
	}

	for _, length := range []time.Duration{90 * time.Millisecond, 3 * time.Second, 50 * time.Second, 10 * time.Minute, 5 * time.Hour, 24*time.Hour - 1, 24 * time.Hour, 8 * 24 * time.Hour,
		20 * 24 * time.Hour, 300 * 24 * time.Hour, 10 * 365 * 24 * time.Hour, 200 * 365 * 24 * time.Hour} {
		p := draw.New("", width, 120)
		b := box{x: left, y: 10, w: width - left - right, h: 60, maxY: 3}
		b.yAxis(p)
		b.timeAxis(p, noon, length, true)
		add("axis-"+length.String(), p)
	}
	end := draw.New("", width, 120)
	(&box{x: left, y: 10, w: width - left - right, h: 60, maxY: 3}).timeAxis(end, noon.Truncate(time.Minute), 50*time.Second, true)
	add("axis-with-a-time-at-its-end", end)
	p := draw.New("", width, 400)
	b := box{x: left, y: 10, w: width - left - right, h: 360, maxY: 100}
	b.yAxis(p)
	b.timeAxis(p, noon.Truncate(time.Hour), 2*time.Hour, false)
	add("axis-without-words", p)

	for _, row := range []struct {
		share   float64
		longest time.Duration
		bursts  []int
	}{{0.02, 24 * time.Hour, []int{1, 2, 3, 50, 4000}}, {0.25, time.Minute, []int{3, 4, 5, 20, 40}}, {0.5, time.Second / 2, []int{1}}} {
		d := simulate.NewDemand(func(yield func(simulate.Request) bool) {
			for i := range row.bursts[len(row.bursts)-1] {
				for k, n := range row.bursts {
					at := noon.Add(time.Duration(i*i) * time.Millisecond)
					if i < n && !yield(simulate.Request{At: at, Key: fmt.Sprint("u", k), Cost: 1}) {
						return
					}
				}
			}
		})
		e := Envelope(d, row.share, row.longest)
		e.Name += "-" + row.longest.String()
		all = append(all, e)
	}
	slices.SortFunc(all, func(a, b Picture) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// told returns how many requests were told to wait for so long.
func told(wait time.Duration, requests int) simulate.Cell {
	return simulate.Cell{Wait: simulate.Seconds(wait), Requests: requests}
}

// result returns one with bins of what was granted and refused.
func result(name string, width time.Duration, granted, refused []int64) *simulate.Result {
	r := &simulate.Result{Name: name, Client: "open", First: noon, BinWidth: simulate.Seconds(width), Keys: 3, KeysRefused: 2}
	for i := range granted {
		r.Bins = append(r.Bins, simulate.Bin{Offered: granted[i] + refused[i], Granted: granted[i], Refused: refused[i]})
		r.Offered, r.Refused = r.Offered+granted[i]+refused[i], r.Refused+refused[i]
	}
	return r
}

// Of each result there are the pictures that have something to show. Those of several have numbers.
func TestAll(t *testing.T) {
	names := func(all []Picture) (names []string) {
		for _, p := range all {
			require.NotEmpty(t, p.Text)
			names = append(names, p.Name)
		}
		return names
	}
	calm := result("calm", time.Minute, []int64{1}, []int64{0})
	require.Equal(t, []string{"timeline"}, names(All([]*simulate.Result{calm})))

	refused := result("refused", time.Minute, []int64{1}, []int64{1})
	require.Equal(t, []string{"timeline"}, names(All([]*simulate.Result{refused})), "no key is known")
	refused.Worst = []simulate.Key{{Key: "a", Refused: 1}}
	require.Equal(t, []string{"timeline", "keys"}, names(All([]*simulate.Result{refused})))
	refused.Worst[0].Busy = &simulate.Busy{From: noon, Width: simulate.Seconds(time.Second), Bins: make([]simulate.Cells, 1)}
	refused.Waits = &simulate.Waits{Longest: simulate.Seconds(time.Second), Cells: []simulate.Cell{{Wait: simulate.Seconds(time.Second), Requests: 1}}}
	require.Equal(t, []string{"timeline", "cumulative", "keys", "waits"}, names(All([]*simulate.Result{refused})))
	require.Equal(t, []string{"timeline", "cumulative-2", "keys-2", "waits-2"}, names(All([]*simulate.Result{calm, refused})))
	refused.Keys = 2
	require.Equal(t, []string{"timeline", "cumulative", "keys", "waits"}, names(All([]*simulate.Result{refused})))
	refused.Keys = 1
	require.Equal(t, []string{"timeline", "cumulative", "waits"}, names(All([]*simulate.Result{refused})))
}

// Times on an axis are round: a part of a second, minute, hour or day, or days, weeks or years.
func TestTimeSteps(t *testing.T) {
	require.IsIncreasing(t, steps)
	const day = 24 * time.Hour
	for _, by := range steps {
		round := by == 2*day || by%(7*day) == 0 || by%(365*day) == 0
		for _, unit := range []time.Duration{time.Second, time.Minute, time.Hour, day} {
			round = round || unit%by == 0
		}
		require.True(t, round, "%v", by)
	}
}

func TestStep(t *testing.T) {
	for _, row := range []struct {
		end  float64
		most int
		want float64
	}{{0, 5, 1}, {-1, 5, 1}, {5, 5, 1}, {5.1, 5, 2}, {10, 5, 2}, {11, 5, 5}, {25, 5, 5}, {26, 5, 10}, {50, 5, 10}, {51, 5, 20}, {1, 4, 0.5}, {3e9, 4, 1e9}} {
		require.InEpsilon(t, row.want, step(row.end, row.most), 1e-12, "%v in %d", row.end, row.most)
	}
}

func TestNumbers(t *testing.T) {
	for f, want := range map[float64]string{0: "0", 0.5: "0.5", 9999: "9999", 1e4: "10k", 12_345: "12.35k", 999_000: "999k", 1e6: "1M", 2.5e6: "2.5M", 1_234_560: "1.235M",
		1e9: "1G", 12e9: "12G", 123_456e6: "123.5G"} {
		require.Equal(t, want, count(f))
	}
	for _, row := range []struct {
		part, whole int64
		want        string
	}{{0, 0, "0 %"}, {0, 7, "0 %"}, {1, 8, "12 %"}, {1, 10, "10 %"}, {104, 1000, "10 %"}, {99, 1000, "9.9 %"}, {1, 3000, "0.0333 %"}, {7, 7, "100 %"}} {
		require.Equal(t, row.want, percent(row.part, row.whole))
	}
	for d, want := range map[time.Duration]string{0: "0s", 90 * time.Second: "1m30s", time.Minute: "1m", 10 * time.Minute: "10m", time.Hour: "1h", 90 * time.Minute: "1h30m",
		20 * time.Hour: "20h", time.Hour + time.Second: "1h0m1s", 1500 * time.Millisecond: "1.5s"} {
		require.Equal(t, want, length(d))
	}
}
