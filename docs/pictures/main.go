// Command pictures draws the pictures of the documentation from the data that tests wrote. It runs in
// its folder and is a module of its own, so that nobody else depends on what draws.
package main

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"image/color"
	"log"
	"os"
	"slices"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

func main() {
	if err := edge("../edge.csv", "../edge.svg"); err != nil {
		log.Fatal(err)
	}
}

// edge draws a row for each limiter, with a dot for each grant.
func edge(from, to string) error {
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	records, err := csv.NewReader(bytes.NewReader(data)).ReadAll()
	if err != nil {
		return err
	}
	p := plot.New()
	p.Title.Text = "10 a second, asked once at 0 s and all the time from 0.9 s on, and the most granted in any second"
	p.X.Label.Text = "seconds"
	p.X.Min, p.X.Max = 0, 2.5
	for _, second := range []float64{1, 2} {
		if err = mark(p, second); err != nil {
			return err
		}
	}
	var names []string
	var dots plotter.XYs
	for _, record := range slices.Backward(records[1:]) { // the first at the top
		name := fmt.Sprintf("%s: %s ", record[0], record[2])
		if len(names) == 0 || names[len(names)-1] != name {
			names = append(names, name)
		}
		var ms float64
		if ms, err = strconv.ParseFloat(record[1], 64); err != nil {
			return err
		}
		dots = append(dots, plotter.XY{X: ms / 1000, Y: float64(len(names) - 1)})
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
	return p.Save(24*vg.Centimeter, vg.Length(2.5+float64(len(names)))*vg.Centimeter, to)
}

// mark draws the edge of a window.
func mark(p *plot.Plot, at float64) error {
	line, err := plotter.NewLine(plotter.XYs{{X: at, Y: -0.5}, {X: at, Y: 99}})
	if err != nil {
		return err
	}
	line.Color = color.Gray{Y: 190}
	p.Add(line)
	return nil
}
