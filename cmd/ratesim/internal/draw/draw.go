// Package draw draws a picture once, as SVG and as PNG. Texts are outlines, so that they look the
// same, and take as much room, wherever the picture is seen. The SVG has no background and follows
// the reader's light or dark scheme.
package draw

import (
	"image/color"
	"math"
)

// Role is what a shape is for, from which its colour follows.
type Role int

// The roles.
const (
	Ink Role = iota
	Muted
	Grid
	Granted
	Refused
	Limit
	roles
)

// palette is the colour of each role in light and in dark.
var palette = [roles]struct{ name, light, dark string }{
	{"ink", "#1f2328", "#e6edf3"},
	{"muted", "#59636e", "#9198a1"},
	{"grid", "#d1d9e0", "#3d444d"},
	{"granted", "#2f6fb5", "#6cb0f5"},
	{"refused", "#c8501e", "#ff9a5c"},
	{"limit", "#2b7a3d", "#5fd07a"},
}

// Point is a place: x to the right, y down.
type Point struct{ X, Y float64 }

// Picture is a list of shapes. Make it with [New].
type Picture struct {
	Title         string // for those that do not see it
	width, height float64
	shapes        []shape
}

// shape is a filled outline.
type shape struct {
	role    Role
	opacity float64
	outline []contour
}

// contour is a closed line.
type contour []segment

// segment leads to its last point: a line, or a curve with one or two control points.
type segment struct {
	n int // points, 1 to 3
	p [3]Point
}

// New returns an empty picture.
func New(title string, width, height float64) *Picture {
	return &Picture{Title: title, width: width, height: height}
}

func polygon(points ...Point) contour {
	c := make(contour, len(points))
	for i, p := range points {
		c[i] = segment{1, [3]Point{p}}
	}
	return c
}

func (p *Picture) add(role Role, opacity float64, outline ...contour) {
	p.shapes = append(p.shapes, shape{role, opacity, outline})
}

// Rect fills a rectangle.
func (p *Picture) Rect(x, y, width, height float64, role Role, opacity float64) {
	p.add(role, opacity, rectangle(x, y, width, height))
}

func rectangle(x, y, width, height float64) contour {
	return polygon(Point{x, y}, Point{x + width, y}, Point{x + width, y + height}, Point{x, y + height})
}

// Rects fills rectangles of x, y, width and height, as one shape.
func (p *Picture) Rects(role Role, opacity float64, all ...[4]float64) {
	outline := make([]contour, len(all))
	for i, r := range all {
		outline[i] = rectangle(r[0], r[1], r[2], r[3])
	}
	if len(all) > 0 {
		p.add(role, opacity, outline...)
	}
}

// Line draws a line through points. With a dash above 0 it is broken into pieces of that length.
func (p *Picture) Line(role Role, width, dash float64, points ...Point) {
	points = corners(points)
	var outline []contour
	left, on := dash, true
	for i := 1; i < len(points); i++ {
		a, b := points[i-1], points[i]
		for {
			length := math.Hypot(b.X-a.X, b.Y-a.Y)
			if length == 0 {
				break
			}
			c := b
			if dash > 0 && length > left {
				c = Point{a.X + (b.X-a.X)*left/length, a.Y + (b.Y-a.Y)*left/length}
			}
			if on {
				outline = append(outline, stroke(a, c, width))
			}
			if dash <= 0 {
				break
			}
			if length < left {
				left -= length
				break
			}
			a, left, on = c, dash, !on
		}
	}
	if len(outline) > 0 {
		p.add(role, 1, outline...)
	}
}

// corners returns the points at which a line turns, and its ends.
func corners(points []Point) (turns []Point) {
	for i, p := range points {
		if n := len(turns); n > 0 && i+1 < len(points) {
			a, b := turns[n-1], points[i+1]
			if math.Abs((p.X-a.X)*(b.Y-p.Y)-(p.Y-a.Y)*(b.X-p.X)) < 1e-6 {
				continue
			}
		}
		turns = append(turns, p)
	}
	return turns
}

// stroke returns a line as a rectangle, longer by half its width, so that the next one joins.
func stroke(a, b Point, width float64) contour {
	length := math.Hypot(b.X-a.X, b.Y-a.Y)
	dx, dy := (b.X-a.X)/length*width/2, (b.Y-a.Y)/length*width/2
	a, b = Point{a.X - dx/2, a.Y - dy/2}, Point{b.X + dx/2, b.Y + dy/2}
	return polygon(Point{a.X - dy, a.Y + dx}, Point{b.X - dy, b.Y + dx}, Point{b.X + dy, b.Y - dx}, Point{a.X + dy, a.Y - dx})
}

func parseColor(hex string) color.RGBA {
	digit := func(c byte) uint8 {
		if c >= 'a' {
			return c - 'a' + 10
		}
		return c - '0'
	}
	at := func(i int) uint8 { return digit(hex[i])<<4 | digit(hex[i+1]) }
	return color.RGBA{R: at(1), G: at(3), B: at(5), A: 255}
}
