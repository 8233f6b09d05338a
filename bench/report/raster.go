package main

import (
	"image/color"

	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// raster is a picture with a row for each limiter, and a dot in it for each grant.
type raster struct {
	title, axis string
	end         float64
	marks       []float64 // edges of windows
	rows        []row     // the first at the top
}

type row struct {
	name string
	dots []float64
}

// dot adds a dot to the last row, or to a new one if that has another name.
func (r *raster) dot(name string, at float64) {
	if len(r.rows) == 0 || r.rows[len(r.rows)-1].name != name {
		r.rows = append(r.rows, row{name: name})
	}
	last := &r.rows[len(r.rows)-1]
	last.dots = append(last.dots, at)
}

func (r *raster) draw(to string) error {
	p := newPlot(r.title)
	p.X.Label.Text = r.axis
	p.X.Min, p.X.Max = 0, r.end
	for _, at := range r.marks {
		line, err := plotter.NewLine(plotter.XYs{{X: at, Y: -0.5}, {X: at, Y: 99}})
		if err != nil {
			return err
		}
		line.Color = color.Gray{Y: 190}
		p.Add(line)
	}
	var dots plotter.XYs
	names := make([]string, len(r.rows))
	for i, row := range r.rows {
		y := len(r.rows) - 1 - i
		names[y] = row.name
		last := -r.end
		for _, at := range row.dots {
			if at-last < r.end/350 && at >= last {
				continue // it would lie on the last one
			}
			last = at
			dots = append(dots, plotter.XY{X: at, Y: float64(y)})
		}
	}
	scatter, err := plotter.NewScatter(dots)
	if err != nil {
		return err
	}
	scatter.Shape = draw.CircleGlyph{}
	scatter.Radius = vg.Points(1.6)
	scatter.Color = color.RGBA{R: 0x1f, G: 0x5f, B: 0xbf, A: 0xff}
	p.Add(scatter)
	p.NominalY(names...)
	p.Y.Min, p.Y.Max = -0.5, float64(len(names))-0.5
	return save(p, 24*vg.Centimeter, vg.Length(2.5+float64(len(names)))*vg.Centimeter, to)
}
