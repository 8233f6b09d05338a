package main

import (
	_ "embed"
	"html/template"
	"os"

	"github.com/seed-3506548a/ratelimit/cmd/ratesim/internal/chart"
	"github.com/seed-3506548a/ratelimit/simulate"
)

//go:embed page.html
var pageSource string

var page = template.Must(template.New("page").Parse(pageSource))

// writeHTML writes the report as one file, which loads nothing.
func (r *report) writeHTML(path string) error {
	type picture struct {
		Text string
		SVG  template.HTML
	}
	var pictures []picture
	for _, p := range chart.All(r.results) {
		pictures = append(pictures, picture{p.Text, template.HTML(p.SVG())}) // what it has of the trace are outlines, and its title is escaped
	}
	texts := make([]string, len(r.results))
	for i, one := range r.results {
		texts[i] = one.String()
	}
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	err = page.Execute(file, struct {
		Traffic  string
		Seed     uint64
		Warnings []string
		Results  []*simulate.Result
		Texts    []string
		Pictures []picture
	}{r.traffic(), r.options.seed, r.warnings, r.results, texts, pictures})
	if closed := file.Close(); err == nil {
		err = closed
	}
	return err
}
