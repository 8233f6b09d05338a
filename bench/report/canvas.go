package main

import (
	"bytes"
	"os"
	"strings"

	"golang.org/x/image/font/sfnt"
	"golang.org/x/image/math/fixed"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// newPlot returns an empty plot. It has no paper, so it is as light or dark as the page.
func newPlot(title string) *plot.Plot {
	plot.DefaultFont = font.Font{Typeface: "Liberation", Variant: "Sans"}
	p := plot.New()
	p.BackgroundColor = nil
	p.Title.Text = title
	p.Title.Padding = vg.Points(6)
	p.Legend.Padding = vg.Points(2)
	return p
}

var margin = vg.Points(6)

// inTheDark has pictures drawn for a light page follow a reader who prefers dark ones.
const inTheDark = "<style>@media(prefers-color-scheme:dark){svg{filter:invert(1) hue-rotate(180deg)}}</style>\n"

// save draws a plot into an SVG file.
func save(p *plot.Plot, width, height vg.Length, to string) error {
	canvas := outlining{vgsvg.New(width, height)}
	p.Draw(draw.Crop(draw.New(canvas), margin, -margin, margin, -margin))
	var b bytes.Buffer
	if _, err := canvas.WriteTo(&b); err != nil {
		return err
	}
	return os.WriteFile(to, []byte(strings.Replace(b.String(), "\n<g ", "\n"+inTheDark+"<g ", 1)), 0o644)
}

// outlining draws letters as shapes: labels are as wide as they were measured, whatever fonts the
// reader has.
type outlining struct{ *vgsvg.Canvas }

func (c outlining) FillString(f font.Face, at vg.Point, text string) {
	var buffer sfnt.Buffer
	var outline vg.Path
	em := fixed.Int26_6(f.Face.UnitsPerEm())
	unit := f.Font.Size / vg.Length(em)
	point := func(p fixed.Point26_6) vg.Point {
		return vg.Point{X: at.X + vg.Length(p.X)*unit, Y: at.Y - vg.Length(p.Y)*unit}
	}
	for i, r := range text {
		glyph, err := f.Face.GlyphIndex(&buffer, r)
		if err != nil {
			panic(err) // the font is a part of the program
		}
		segments, err := f.Face.LoadGlyph(&buffer, glyph, em, nil)
		if err != nil {
			panic(err)
		}
		for _, s := range segments {
			switch s.Op {
			case sfnt.SegmentOpMoveTo:
				if len(outline) > 0 {
					outline.Close()
				}
				outline.Move(point(s.Args[0]))
			case sfnt.SegmentOpLineTo:
				outline.Line(point(s.Args[0]))
			case sfnt.SegmentOpQuadTo:
				outline.QuadTo(point(s.Args[0]), point(s.Args[1]))
			case sfnt.SegmentOpCubeTo:
				outline.CubeTo(point(s.Args[0]), point(s.Args[1]), point(s.Args[2]))
			}
		}
		at.X += f.Width(text[:i+len(string(r))]) - f.Width(text[:i])
	}
	if len(outline) > 0 {
		outline.Close()
		c.Fill(outline)
	}
}
