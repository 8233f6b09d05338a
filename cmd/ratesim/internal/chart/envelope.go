package chart

import (
	"fmt"
	"math"
	"time"

	"github.com/seed-3506548a/ratelimit/cmd/ratesim/internal/draw"
	"github.com/seed-3506548a/ratelimit/simulate"
)

// Envelope draws the most that keys ask for in spans of any length: half of the keys, all but a
// share of them, and all. A limit that lies above a line refuses nothing to these keys. Both axes
// are logarithmic.
func Envelope(d *simulate.Demand, share float64, longest time.Duration) Picture {
	p := draw.New("The most that keys ask for in any span", width, 400)
	b := box{x: left, y: 60, w: width - left - right, h: 280}
	const perDecade = 6
	shortest := 0.1
	decades := math.Log10(math.Max(longest.Seconds(), 1) / shortest)
	at := func(seconds, n float64) draw.Point {
		return draw.Point{X: b.x + b.w*math.Log10(seconds/shortest)/decades, Y: b.y + b.h - b.h*math.Log10(math.Max(n, 1))/b.maxY}
	}
	shares := []float64{0.5, 1 - share, 1}
	lines := make([][]draw.Point, len(shares))
	type of struct{ seconds, n float64 }
	all := make([][]of, len(shares))
	most := 10.0
	for i := 0; i <= int(decades*perDecade); i++ {
		seconds := shortest * math.Pow(10, float64(i)/perDecade)
		for j, n := range d.Most(time.Duration(seconds*1e9), shares...) {
			all[j] = append(all[j], of{seconds, float64(n)})
			most = math.Max(most, float64(n))
		}
	}
	b.maxY = math.Log10(most) * 1.05
	for n := 1.0; n <= most; n *= 10 {
		y := at(shortest, n).Y
		p.Rect(b.x, y-0.5, b.w, 1, draw.Grid, 1)
		p.Text(b.x-8, y+4, small, draw.End, draw.Muted, count(n))
	}
	for _, tick := range []time.Duration{100 * time.Millisecond, time.Second, 10 * time.Second, time.Minute, 10 * time.Minute, time.Hour, 24 * time.Hour} {
		if tick > longest {
			break
		}
		x := at(tick.Seconds(), 1).X
		p.Rect(x-0.5, b.y+b.h, 1, 5, draw.Muted, 1)
		p.Text(x, b.y+b.h+18, small, draw.Middle, draw.Muted, length(tick))
	}
	roles := []draw.Role{draw.Granted, draw.Limit, draw.Refused}
	for j := range shares {
		for _, one := range all[j] {
			lines[j] = append(lines[j], at(one.seconds, one.n))
		}
	}
	for _, j := range []int{2, 1, 0} {
		p.Line(roles[j], 2, 0, lines[j]...)
	}
	asked := fmt.Sprintf("The most that %d keys ask for in any span", d.Keys())
	if d.Keys() == 1 {
		asked = "The most that one key asks for in any span"
	}
	head(p, 24, asked, "events, by the length of the span; a limit above a line refuses nothing to these keys")
	legend(p, b.x, b.y+b.h+40, map[draw.Role]string{draw.Granted: "half of the keys", draw.Limit: fmt.Sprintf("all but %.3g %%", 100*share), draw.Refused: "all"})
	return Picture{"envelope", "The most that keys ask for in any span.", p}
}
