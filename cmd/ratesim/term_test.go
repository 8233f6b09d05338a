package main

import (
	"bytes"
	"io"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit/simulate"
)

// The small plots for terminals are of three bins or more, and begin at 0.
func TestTerminalPlot(t *testing.T) {
	for bins, drawn := range map[int]bool{0: false, 2: false, 3: true} {
		require.Equal(t, drawn, terminalPlot(&simulate.Result{Bins: make([]simulate.Bin, bins)}) != "", bins)
	}
	bins := make([]simulate.Bin, 12)
	for i := range bins {
		bins[i] = simulate.Bin{Granted: int64(4 + i%2), Refused: int64(max(2, i-3))}
	}
	plot := terminalPlot(&simulate.Result{Bins: bins, BinWidth: simulate.Seconds(time.Minute)})
	require.Contains(t, plot, "\x1b[94m■\x1b[0m granted   \x1b[91m■\x1b[0m refused")
	require.Equal(t, `
 8.00 ┤                                                                   ╭───
 7.00 ┤                                                             ╭─────╯
 6.00 ┤                                                      ╭──────╯
 5.00 ┤   ╭─────╮      ╭─────╮      ╭─────╮     ╭──────╭─────╯──────╮     ╭───
 4.00 ┼───╯     ╰──────╯     ╰──────╯     ╰─────╭──────╯─────╯      ╰─────╯
 3.00 ┤                                   ╭─────╯
 2.00 ┼───────────────────────────────────╯
 1.00 ┤
 0.00 ┤
                                 events in each 1m0s

                                ■ granted   ■ refused
`, regexp.MustCompile(`\x1b\[\d+m`).ReplaceAllString(plot, ""))
}

// What is no terminal gets no bar, also if it is a file.
func TestNoTerminal(t *testing.T) {
	file, err := os.Open(saved(t, "a", ""))
	require.NoError(t, err)
	defer func() { _ = file.Close() }()
	for _, w := range []io.Writer{&bytes.Buffer{}, file} {
		require.False(t, isTerminal(w))
	}
	var written bytes.Buffer
	in, end := progress(strings.NewReader("x"), 1, &written)
	text, err := io.ReadAll(in)
	require.NoError(t, err)
	end()
	require.Equal(t, "x", string(text))
	require.Empty(t, written.String())
}
