package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/guptarohit/asciigraph"
	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"github.com/seed-3506548a/ratelimit/simulate"
)

// isTerminal reports whether somebody sees what is written.
func isTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// progress returns the input, with a bar on the terminal that shows how much of it is read, and
// what ends the bar.
func progress(in io.Reader, size int64, to io.Writer) (shown io.Reader, end func()) {
	if !isTerminal(to) {
		return in, func() {}
	}
	bar := progressbar.NewOptions64(size, progressbar.OptionSetWriter(to), progressbar.OptionShowBytes(true),
		progressbar.OptionSetDescription("reading"), progressbar.OptionClearOnFinish(), progressbar.OptionSetWidth(30))
	read := progressbar.NewReader(in, bar)
	return &read, func() { _ = bar.Finish() }
}

// terminalPlot draws what was granted and refused over time, in characters.
func terminalPlot(r *simulate.Result) string {
	if len(r.Bins) < 3 {
		return ""
	}
	granted, refused := make([]float64, len(r.Bins)), make([]float64, len(r.Bins))
	for i, b := range r.Bins {
		granted[i], refused[i] = float64(b.Granted), float64(b.Refused)
	}
	return "\n" + asciigraph.PlotMany([][]float64{granted, refused}, asciigraph.Height(8), asciigraph.Width(72),
		asciigraph.LowerBound(0), asciigraph.SeriesColors(asciigraph.Blue, asciigraph.Red), asciigraph.SeriesLegends("granted", "refused"),
		asciigraph.Caption(fmt.Sprintf("events in each %v", time.Duration(r.BinWidth)))) + "\n"
}
