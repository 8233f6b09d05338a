// Package chart draws what became of requests.
package chart

import (
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/seed-3506548a/ratelimit/cmd/ratesim/internal/draw"
)

const (
	width  = 860.0
	small  = 12.0
	normal = 14.0
	left   = 64.0 // of the axes
	right  = 20.0
)

// box is where a chart is, and what its axes go to.
type box struct {
	x, y, w, h float64
	maxX, maxY float64
}

func (b *box) at(x, y float64) draw.Point {
	return draw.Point{X: b.x + b.w*x/b.maxX, Y: b.y + b.h - b.h*y/b.maxY}
}

// step returns a round number, such that there are at most so many steps to the end.
func step(end float64, most int) float64 {
	if end <= 0 {
		return 1
	}
	unit := math.Pow(10, math.Floor(math.Log10(end/float64(most))))
	for _, m := range []float64{1, 2, 5} {
		if end/(unit*m) <= float64(most) {
			return unit * m
		}
	}
	return unit * 10
}

// yAxis draws lines and numbers. Numbers are whole ones.
func (b *box) yAxis(p *draw.Picture) {
	by := math.Max(step(b.maxY, max(int(b.h/36), 2)), 1)
	for y := 0.0; y <= b.maxY*1.0001; y += by {
		at := b.at(0, y)
		p.Rect(b.x, at.Y-0.5, b.w, 1, draw.Grid, 1)
		p.Text(b.x-8, at.Y+4, small, draw.End, draw.Muted, count(y))
	}
}

// count writes a number of events, in few characters.
func count(f float64) string {
	switch {
	case f >= 1e9:
		return strconv.FormatFloat(f/1e9, 'g', 4, 64) + "G"
	case f >= 1e6:
		return strconv.FormatFloat(f/1e6, 'g', 4, 64) + "M"
	case f >= 1e4:
		return strconv.FormatFloat(f/1e3, 'g', 4, 64) + "k"
	}
	return strconv.FormatFloat(f, 'f', -1, 64)
}

var steps = []time.Duration{time.Millisecond, 10 * time.Millisecond, 100 * time.Millisecond, time.Second, 2 * time.Second, 5 * time.Second, 10 * time.Second, 20 * time.Second,
	30 * time.Second, time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 20 * time.Minute, 30 * time.Minute, time.Hour, 2 * time.Hour, 3 * time.Hour,
	6 * time.Hour, 12 * time.Hour, 24 * time.Hour, 48 * time.Hour, 7 * 24 * time.Hour, 28 * 24 * time.Hour, 7 * 28 * 24 * time.Hour, 365 * 24 * time.Hour, 10 * 365 * 24 * time.Hour}

// timeAxis draws the times of [first, first+length), at round times, as many as have room.
func (b *box) timeAxis(p *draw.Picture, first time.Time, length time.Duration, label bool) {
	b.maxX = length.Seconds()
	first = first.UTC()
	for _, by := range steps {
		layout := "15:04:05"
		switch {
		case by < time.Second:
			layout = "15:04:05.000"
		case by >= 24*time.Hour:
			layout = "2006-01-02"
		case length >= 24*time.Hour:
			layout = "01-02 15:04"
		case by >= time.Minute:
			layout = "15:04"
		}
		room := draw.Width(layout, small) + 24
		if float64(length)/float64(by)*room > b.w {
			continue
		}
		for t := first.Truncate(by); !t.After(first.Add(length)); t = t.Add(by) {
			if t.Before(first) {
				continue
			}
			at := b.at(t.Sub(first).Seconds(), 0)
			p.Rect(at.X-0.5, at.Y, 1, 5, draw.Muted, 1)
			if text := t.Format(layout); label && at.X+draw.Width(text, small)/2 < width {
				p.Text(at.X, at.Y+18, small, draw.Middle, draw.Muted, text)
			}
		}
		break
	}
	if label {
		p.Text(b.x, b.y+b.h+36, small, draw.Start, draw.Muted, "UTC, from "+first.Format("2006-01-02 15:04:05"))
	}
}

// legend writes names beside their colours, from x on.
func legend(p *draw.Picture, x, y float64, names map[draw.Role]string) {
	for _, role := range []draw.Role{draw.Granted, draw.Refused, draw.Ink, draw.Limit} {
		if name, ok := names[role]; ok {
			p.Rect(x, y-9, 10, 10, role, 1)
			p.Text(x+15, y, small, draw.Start, draw.Ink, name)
			x += 15 + draw.Width(name, small) + 22
		}
	}
}

func percent(part, whole int64) string {
	if whole == 0 {
		return "0 %"
	}
	share := 100 * float64(part) / float64(whole)
	if part == 0 || share >= 10 {
		return fmt.Sprintf("%.0f %%", share)
	}
	return fmt.Sprintf("%.3g %%", share)
}
