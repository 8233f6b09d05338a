package main

import (
	_ "embed"
	"fmt"
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
	texts, sentences := make([]string, len(r.results)), make([]string, len(r.results))
	for i, one := range r.results {
		texts[i], sentences[i] = one.String(), spared(one)
	}
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	err = page.Execute(file, struct {
		Traffic   string
		Seed      uint64
		Tried     string
		Sentences []string
		Warnings  []string
		Results   []*simulate.Result
		Texts     []string
		Pictures  []picture
	}{r.traffic(), r.options.seed, tried(r.judged), sentences, r.warnings, r.results, texts, pictures})
	if closed := file.Close(); err == nil {
		err = closed
	}
	return err
}

// tried is what the results are of, as the head of their column.
func tried(all []judged) string {
	limits := 0
	for _, j := range all {
		if j.policy == nil {
			limits++
		}
	}
	switch limits {
	case 0:
		return "policy"
	case len(all):
		return "limit"
	}
	return "limit or policy"
}

// spared says in a sentence how many keys a result leaves alone.
func spared(r *simulate.Result) string {
	if r.KeysRefused == 0 {
		return fmt.Sprintf("%s: all of %d keys are refused nothing.", r.Name, r.Keys)
	}
	return fmt.Sprintf("%s: %d of %d keys are refused nothing. %.3g %% of the events of all keys are refused.", r.Name, r.Keys-r.KeysRefused, r.Keys,
		100*float64(r.Refused)/float64(max(r.Offered, 1)))
}
