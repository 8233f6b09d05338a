package chart

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/seed-3506548a/ratelimit/cmd/ratesim/internal/draw"
	"github.com/seed-3506548a/ratelimit/simulate"
)

// Picture is a picture with the name of its file.
type Picture struct {
	Name string
	Text string // what it shows
	*draw.Picture
}

// All draws all pictures of the results that have something to show.
func All(results []*simulate.Result) (all []Picture) {
	all = append(all, Picture{"timeline", "What was granted and refused over time.", timeline(results)})
	for i, r := range results {
		suffix := ""
		if len(results) > 1 {
			suffix = fmt.Sprintf("-%d", i+1)
		}
		if r.Refused == 0 || len(r.Worst) == 0 {
			continue
		}
		if r.Worst[0].Busy != nil {
			all = append(all, Picture{"cumulative" + suffix, "What the worst key asked for and got from its first refusal on, and the most that its limit grants in that time.", cumulative(r)})
		}
		if r.Keys > 1 {
			all = append(all, Picture{"keys" + suffix, "The share that was refused, of the worst keys over time.", heat(r)})
		}
		if r.Waits != nil {
			all = append(all, Picture{"waits" + suffix, "How long those that were refused are told to wait.", waits(r)})
		}
	}
	return all
}

func head(p *draw.Picture, y float64, title, detail string) {
	p.Text(left, y, normal, draw.Start, draw.Ink, draw.Fit(title, normal, width-left-right))
	p.Text(left, y+18, small, draw.Start, draw.Muted, draw.Fit(detail, small, width-left-right))
}

// timeline draws a panel for each result, all with the same axes.
func timeline(results []*simulate.Result) *draw.Picture {
	const panel, gap = 150.0, 62.0
	n := float64(len(results))
	p := draw.New("Granted and refused over time", width, 24+n*(panel+gap)+44)
	most := 0.0 // in a second, as bins of results may differ
	for _, r := range results {
		for _, b := range r.Bins {
			most = math.Max(most, float64(b.Offered)/time.Duration(r.BinWidth).Seconds())
		}
	}
	for i, r := range results {
		seconds := time.Duration(r.BinWidth).Seconds()
		b := box{x: left, y: 24 + float64(i)*(panel+gap) + 40, w: width - left - right, h: panel, maxY: math.Max(most*seconds, 1)}
		head(p, b.y-28, r.Name, fmt.Sprintf("%s of %s events refused, to %d of %d keys; clients: %s", percent(r.Refused, r.Offered), count(float64(r.Offered)), r.KeysRefused, r.Keys, r.Client))
		b.yAxis(p)
		b.timeAxis(p, r.First, time.Duration(r.BinWidth)*time.Duration(max(len(r.Bins), 1)), i == len(results)-1)
		var granted, refused [][4]float64
		w := b.w / float64(max(len(r.Bins), 1))
		for j, bin := range r.Bins {
			x, g, f := b.x+w*float64(j), b.h*float64(bin.Granted)/b.maxY, b.h*float64(bin.Refused)/b.maxY
			if bin.Granted > 0 {
				granted = append(granted, [4]float64{x, b.y + b.h - g, w, g})
			}
			if bin.Refused > 0 {
				refused = append(refused, [4]float64{x, b.y + b.h - g - f, w, f})
			}
		}
		p.Rects(draw.Granted, 1, granted...)
		p.Rects(draw.Refused, 1, refused...)
		if i == len(results)-1 {
			names := map[draw.Role]string{draw.Granted: "granted", draw.Refused: "refused"}
			legend(p, width-right-260, b.y+b.h+36, names)
			p.Text(width-right, b.y+b.h+36, small, draw.End, draw.Muted, "events in "+length(time.Duration(r.BinWidth)))
		}
	}
	return p
}

// heat draws the share that was refused, a row for each of the worst keys.
func heat(r *simulate.Result) *draw.Picture {
	const row, names = 20.0, 170.0
	rows, bins := 0, 1
	for _, k := range r.Worst {
		if k.Refused > 0 {
			rows++
			bins = max(bins, len(k.Bins))
		}
	}
	p := draw.New("Share refused by key and time", width, 60+row*float64(rows)+60)
	b := box{x: names, y: 54, w: width - names - right - 70, h: row * float64(rows), maxY: 1}
	p.Text(16, 24, normal, draw.Start, draw.Ink, draw.Fit(r.Name+": the share that was refused, by key", normal, width-32))
	p.Text(width-right, b.y-8, small, draw.End, draw.Muted, "refused")
	b.timeAxis(p, r.First, time.Duration(r.HeatWidth)*time.Duration(bins), true)
	w := b.w / float64(bins)
	for i, k := range r.Worst[:rows] {
		y := b.y + row*float64(i)
		name := k.Key
		if name == "" {
			name = "(no key)"
		}
		p.Text(b.x-8, y+14, small, draw.End, draw.Ink, draw.Fit(name, small, names-24))
		p.Text(width-right, y+14, small, draw.End, draw.Muted, count(float64(k.Refused)))
		var cells [5][][4]float64 // by the share
		var calm [][4]float64
		for j, c := range k.Bins {
			at := [4]float64{b.x + w*float64(j), y + 1, w, row - 2}
			switch all := c.Granted + c.Refused; {
			case c.Refused > 0:
				fifth := min(int(5*float64(c.Refused)/float64(all)), 4)
				cells[fifth] = append(cells[fifth], at)
			case all > 0:
				calm = append(calm, at)
			}
		}
		p.Rects(draw.Granted, 0.25, calm...)
		for fifth, all := range cells {
			p.Rects(draw.Refused, 0.2+0.2*float64(fifth), all...)
		}
	}
	y := b.y + b.h + 36
	x := b.x + 270
	p.Rect(x, y-9, 10, 10, draw.Granted, 0.25)
	p.Text(x+15, y, small, draw.Start, draw.Ink, "none refused")
	for fifth := range 5 {
		p.Rect(x+120+float64(fifth)*18, y-9, 18, 10, draw.Refused, 0.2+0.2*float64(fifth))
	}
	p.Text(x+218, y, small, draw.Start, draw.Ink, "up to all refused")
	return p
}

// waits draws how many requests are told to wait for how long.
func waits(r *simulate.Result) *draw.Picture {
	p := draw.New("Waits of refused requests", width, 330)
	b := box{x: left, y: 60, w: width - left - right, h: 210}
	w := r.Waits
	by := steps[len(steps)-1]
	for _, one := range steps {
		if time.Duration(w.Longest) <= 40*one {
			by = one
			break
		}
	}
	bars := make([]float64, int(time.Duration(w.Longest)/by)+1)
	total := 0
	for _, c := range w.Cells {
		i := int(time.Duration(c.Wait) / by)
		if bars[i] += float64(c.Requests); bars[i] > b.maxY {
			b.maxY = bars[i]
		}
		total += c.Requests
	}
	head(p, 24, r.Name+": how long refused requests are told to wait", fmt.Sprintf("%d requests; median %v, 99 %% %v, longest %v", total, w.Median, w.P99, w.Longest))
	b.yAxis(p)
	bar := b.w / float64(len(bars))
	var all [][4]float64
	end := -100.0
	for i, n := range bars {
		x, h := b.x+bar*float64(i), b.h*n/b.maxY
		if n > 0 {
			all = append(all, [4]float64{x + bar*0.05, b.y + b.h - h, bar * 0.9, h})
		}
		p.Rect(x-0.5, b.y+b.h, 1, 5, draw.Muted, 1)
		text := length(time.Duration(i) * by)
		if room := draw.Width(text, small); x-room/2 > end+16 {
			p.Text(x, b.y+b.h+18, small, draw.Middle, draw.Muted, text)
			end = x + room/2
		}
	}
	p.Rects(draw.Refused, 1, all...)
	p.Text(b.x, b.y+b.h+40, small, draw.Start, draw.Muted, "RetryAfter, in steps of "+length(by))
	return p
}

// length writes a length of time without units that are zero.
func length(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = text[:len(text)-2]
	}
	if strings.HasSuffix(text, "h0m") {
		text = text[:len(text)-2]
	}
	return text
}
