package main

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"os"
	"strconv"
)

// pictures draws those of the documentation, and writes the table beside one of them.
func pictures() error {
	if err := edge(docs+"edge.csv", docs+"edge.svg"); err != nil {
		return err
	}
	if err := compareCrowd(docs+"simulating.md", docs+"compare.svg"); err != nil {
		return err
	}
	if err := keys(docs+"keys.csv", docs+"keys.svg"); err != nil {
		return err
	}
	return bars(docs+"costs.csv", docs+"costs.svg")
}

// records reads a CSV without its first line.
func records(from string) ([][]string, error) {
	data, err := os.ReadFile(from)
	if err != nil {
		return nil, err
	}
	all, err := csv.NewReader(bytes.NewReader(data)).ReadAll()
	if err != nil {
		return nil, err
	}
	return all[1:], nil
}

// edge draws what TestEdge in bench has computed.
func edge(from, to string) error {
	grants, err := records(from)
	if err != nil {
		return err
	}
	picture := raster{
		title: "10 a second, asked once at 0 s and all the time from 0.9 s on, and the most granted in any second",
		axis:  "seconds", end: 2.5, marks: []float64{1, 2},
	}
	for _, record := range grants {
		var ms float64
		if ms, err = strconv.ParseFloat(record[1], 64); err != nil {
			return err
		}
		picture.dot(fmt.Sprintf("%s: %s ", record[0], record[2]), ms/1000)
	}
	return picture.draw(to)
}
