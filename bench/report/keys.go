package main

import (
	"image/color"
	"strconv"

	"golang.org/x/text/language"
	"golang.org/x/text/message"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
)

// keys draws a line for each store: what a decision costs against how many keys there are, as make
// bench-report measured it.
func keys(from, to string) error {
	measured, err := records(from)
	if err != nil {
		return err
	}
	p := newPlot("A decision for one of so many keys, in random order")
	p.X.Label.Text, p.Y.Label.Text = "keys", "ns"
	p.X.Scale, p.X.Tick.Marker, p.Y.Tick.Marker = plot.LogScale{}, grouped(plot.LogTicks{Prec: 0}), grouped(plot.DefaultTicks{})
	p.Y.Min = 0
	p.Legend.Top, p.Legend.Left = true, true
	colors := []color.Color{
		color.RGBA{R: 0x1f, G: 0x5f, B: 0xbf, A: 0xff}, color.RGBA{R: 0x2a, G: 0xa0, B: 0x5a, A: 0xff},
		color.RGBA{R: 0xd0, G: 0x5a, B: 0x1e, A: 0xff}, color.RGBA{R: 0x8a, G: 0x3f, B: 0xb0, A: 0xff},
		color.RGBA{R: 0xb0, G: 0x8a, B: 0x10, A: 0xff}, color.RGBA{R: 0x70, G: 0x70, B: 0x70, A: 0xff},
	}
	var names []string
	points := map[string]plotter.XYs{}
	for _, record := range measured {
		var at plotter.XY
		if at.X, err = strconv.ParseFloat(record[1], 64); err != nil {
			return err
		}
		if at.Y, err = strconv.ParseFloat(record[2], 64); err != nil {
			return err
		}
		if points[record[0]] == nil {
			names = append(names, record[0])
		}
		points[record[0]] = append(points[record[0]], at)
	}
	for i, name := range names {
		line, dots, err := plotter.NewLinePoints(points[name])
		if err != nil {
			return err
		}
		line.Color, dots.Color = colors[i%len(colors)], colors[i%len(colors)]
		line.Width = vg.Points(1.5)
		p.Add(line, dots)
		p.Legend.Add(name, line)
	}
	p.X.Max *= 1.5 // for the last label
	return save(p, 20*vg.Centimeter, 12*vg.Centimeter, to)
}

// grouped writes the whole numbers of ticks as people read them: 10,000.
func grouped(of plot.Ticker) plot.Ticker {
	return plot.TickerFunc(func(from, end float64) []plot.Tick {
		ticks := of.Ticks(from, end)
		for i := range ticks {
			if t := &ticks[i]; t.Label != "" {
				t.Label = message.NewPrinter(language.English).Sprint(int(t.Value))
			}
		}
		return ticks
	})
}
