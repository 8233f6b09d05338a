package chart

import (
	"fmt"
	"math"
	"time"

	"github.com/seed-3506548a/ratelimit/cmd/ratesim/internal/draw"
	"github.com/seed-3506548a/ratelimit/policy"
	"github.com/seed-3506548a/ratelimit/simulate"
)

// cumulative draws what the worst key has asked for and got in its first busy period, and the
// envelope of the limit that has refused most.
func cumulative(r *simulate.Result) *draw.Picture {
	k := &r.Worst[0]
	busy := k.Busy
	p := draw.New("Cumulative events of key "+k.Key, width, 380)
	b := box{x: left, y: 60, w: width - left - right, h: 260}
	var offered, granted int64
	for _, c := range busy.Bins {
		offered, granted = offered+c.Granted+c.Refused, granted+c.Granted
	}
	span := time.Duration(busy.Width) * time.Duration(len(busy.Bins))
	limit, envelope := envelopeOf(r)
	b.maxX, b.maxY = span.Seconds(), math.Max(float64(offered), 1)
	if limit != "" { // what is asked for may be so much more that nothing else could be seen
		b.maxY = math.Max(math.Min(b.maxY, 3*float64(granted)), 1.1*math.Max(float64(granted), envelope(b.maxX)))
	}
	name := k.Key
	if name == "" {
		name = "(no key)"
	}
	detail := fmt.Sprintf("From its first refusal to its last, it asked for %d events. %d were granted.", offered, granted)
	if offered-granted < k.Refused {
		detail = fmt.Sprintf("From its first refusal until a long pause, it asked for %d events. %d were granted. What came after is not shown.", offered, granted)
	}
	head(p, 24, r.Name+": key "+name, detail)
	b.yAxis(p)
	b.timeAxis(p, busy.From, span, true)
	names := map[draw.Role]string{draw.Refused: "asked for", draw.Granted: "granted"}
	if limit != "" {
		names[draw.Limit] = "most that " + limit + " grants"
	}
	start := b.at(0, 0)
	asked, got := []draw.Point{start}, []draw.Point{start}
	var o, g float64
	for i, c := range busy.Bins {
		t := b.maxX * float64(i+1) / float64(len(busy.Bins))
		before := o
		o, g = o+float64(c.Granted+c.Refused), g+float64(c.Granted)
		got = append(got, b.at(t, g))
		switch {
		case o <= b.maxY:
			asked = append(asked, b.at(t, o))
		case before <= b.maxY: // it ends at the top
			t -= b.maxX / float64(len(busy.Bins)) * (o - b.maxY) / (o - before)
			asked = append(asked, b.at(t, b.maxY))
			x, anchor := b.at(t, 0).X+8, draw.Start
			if t > b.maxX/2 { // there is more room before it
				x, anchor = x-24, draw.End
			}
			p.Text(x, b.y+10, small, anchor, draw.Refused, "goes on beyond the frame, to "+count(float64(offered)))
		}
	}
	p.Line(draw.Refused, 2, 0, asked...)
	p.Line(draw.Granted, 2, 0, got...)
	if limit != "" { // above the others, as what is granted often is the most
		var line []draw.Point
		const parts = 400
		for i := range parts + 1 {
			t := b.maxX * float64(i) / parts
			line = append(line, b.at(t, envelope(t)))
		}
		p.Line(draw.Limit, 2, 6, line...)
	}
	legend(p, left+320, b.y+b.h+36, names)
	return p
}

// envelopeOf returns the limit that has refused most, and the most that it grants in a time that
// begins with the first refusal to the worst key.
func envelopeOf(r *simulate.Result) (name string, most func(seconds float64) float64) {
	best, enforced := -1, 0
	for i, l := range r.Limits {
		if l.Mode != "" {
			continue
		}
		enforced++
		if l.Refused > 0 && (best < 0 || l.Refused > r.Limits[best].Refused) {
			best = i
		}
	}
	if best < 0 {
		return "", nil
	}
	l, err := policy.ParseLimit(r.Limits[best].Limit)
	if err != nil || l.Rate.Events == 0 {
		return "", nil
	}
	per, events, burst := l.Rate.Per.Seconds(), float64(l.Rate.Events), float64(l.Burst)
	if burst == 0 {
		burst = events
	}
	left := math.Inf(1) // how many events were left when a request was refused first
	if first := r.Worst[0].Busy.First; enforced == 1 && first > 0 {
		left = float64(first - 1) // fewer than it asked for, and nothing else has refused it
	}
	switch l.As {
	case policy.GCRA:
		return l.String(), func(t float64) float64 { return math.Min(burst, left+1) + math.Floor(t/per*events) }
	case policy.Interval:
		return l.String(), func(t float64) float64 { return math.Min(burst, left) + events*math.Floor(t/per+1) }
	case policy.Anchored, policy.Aligned:
		return l.String(), func(t float64) float64 { return math.Min(events, left) + events*math.Floor(t/per+1) }
	}
	return l.String(), func(t float64) float64 { return events * math.Floor(t/per+1) }
}
