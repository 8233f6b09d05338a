package main

import (
	"image/color"
	"slices"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
)

// bars draws two bars for each limiter: what it costs to grant and to refuse, as make bench-report
// measured it.
func bars(from, to string) error {
	measured, err := records(from)
	if err != nil {
		return err
	}
	slices.Reverse(measured) // the first is drawn at the top
	p := newPlot("Allow, by one caller")
	p.X.Label.Text = "ns"
	p.X.Tick.Marker = plot.TickerFunc(func(_, end float64) (ticks []plot.Tick) {
		for at := 0; float64(at) <= end; at += 50 {
			ticks = append(ticks, plot.Tick{Value: float64(at), Label: strconv.Itoa(at)})
		}
		return ticks
	})
	p.Legend.Top, p.Legend.XOffs = true, -vg.Centimeter
	names := make([]string, len(measured))
	for column, look := range []struct {
		name  string
		color color.Color
		at    vg.Length
	}{
		{"granted", color.RGBA{R: 0x1f, G: 0x5f, B: 0xbf, A: 0xff}, 5},
		{"refused", color.RGBA{R: 0xd0, G: 0x8a, B: 0x1e, A: 0xff}, -5},
	} {
		values := make(plotter.Values, len(measured))
		for i, record := range measured {
			names[i] = record[0]
			if values[i], err = strconv.ParseFloat(record[1+column], 64); err != nil {
				return err
			}
		}
		chart, err := plotter.NewBarChart(values, vg.Points(9))
		if err != nil {
			return err
		}
		chart.Horizontal, chart.Color, chart.Offset, chart.LineStyle.Width = true, look.color, look.at, 0
		p.Add(chart)
		p.Legend.Add(look.name, chart)
	}
	p.NominalY(names...)
	p.X.Max *= 1.1
	return save(p, 22*vg.Centimeter, vg.Length(2+0.85*float64(len(names)))*vg.Centimeter, to)
}
