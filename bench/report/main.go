// Command pictures draws the pictures of the documentation, and compares the limiters on a log of
// one's own.
//
//	go run .                                        the documentation's
//	go run . -log access.log -rate 60/min           a log: the table here, the picture in compare.svg
//	go run . -measured folder                       what docs/benchmarks.sh has measured, into its pages
//
// It runs in its folder and is a module of its own, so that nobody else depends on what draws.
package main

import (
	"bytes"
	"encoding/csv"
	"flag"
	"fmt"
	"log"
	"os"
	"strconv"

	"github.com/seed-3506548a/ratelimit"
)

func main() {
	log.SetFlags(0)
	name := flag.String("log", "", "access log in the Common or Combined Log Format to compare the limiters on")
	folder := flag.String("measured", "", "folder with what docs/benchmarks.sh has measured")
	rate := ratelimit.PerMinute(60)
	flag.TextVar(&rate, "rate", rate, "rate to limit it to, with -log")
	flag.Parse()
	var err error
	switch {
	case flag.NArg() > 0:
		err = fmt.Errorf("there is an argument %q, want flags only", flag.Arg(0))
	case *name != "":
		err = compareLog(*name, rate)
	case *folder != "":
		err = report(*folder)
	default:
		if err = edge("../../docs/edge.csv", "../../docs/edge.svg"); err == nil {
			err = compareCrowd("../../docs/simulating.md", "../../docs/compare.svg")
		}
		if err == nil {
			err = keys("../../docs/keys.csv", "../../docs/keys.svg")
		}
		if err == nil {
			err = bars("../../docs/costs.csv", "../../docs/costs.svg")
		}
	}
	if err != nil {
		log.Fatal(err)
	}
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
