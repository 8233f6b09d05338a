package main

import (
	"context"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// browser returns a headless browser, or skips the test.
func browser(t *testing.T) string {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "headless-shell"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Skip("no chromium here: whether the report opens in a browser is not tested; apt-get install chromium")
	return ""
}

// The report opens in a browser without a server, loads nothing, and is drawn in light and in dark.
func TestPageInBrowser(t *testing.T) {
	if testing.Short() {
		t.Skip("it starts a browser")
	}
	chromium, folder := browser(t), t.TempDir()
	path := filepath.Join(folder, "report.html")
	status, _, errs := ratesim(t, "", "-compare", "trakt,gcra 90/min burst 10", "-gen", "-rate", "100/s", "-duration", "2m", "-keys", "5", "-html", path)
	require.Zero(t, status, errs)
	page, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NotRegexp(t, `(?i)<script|src=|@import|url\(|<link`, string(page))
	start := func(args ...string) string {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
		defer cancel()
		out, err := exec.CommandContext(ctx, chromium, append([]string{"--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
			"--user-data-dir=" + filepath.Join(folder, "profile")}, args...)...).Output()
		require.NoError(t, err)
		return string(out)
	}
	dom := start("--dump-dom", "file://"+path)
	require.Equal(t, strings.Count(string(page), "<svg"), strings.Count(dom, "<svg"))
	require.Greater(t, strings.Count(dom, "<svg"), 3)
	require.Len(t, regexp.MustCompile(`<tr>`).FindAllString(dom, -1), 3)
	for scheme, light := range map[string]bool{"0": false, "1": true} {
		shot := filepath.Join(folder, scheme+".png")
		start("--blink-settings=preferredColorScheme="+scheme, "--window-size=1000,2000", "--screenshot="+shot, "file://"+path)
		file, err := os.Open(shot)
		require.NoError(t, err)
		picture, err := png.Decode(file)
		require.NoError(t, err)
		require.NoError(t, file.Close())
		r, _, _, _ := picture.At(2, 2).RGBA()
		require.Equal(t, light, r > 0x8000, "the background")
		colors := map[any]bool{}
		for x := 0; x < 1000; x += 3 {
			for y := 0; y < 2000; y += 3 {
				colors[picture.At(x, y)] = true
			}
		}
		require.Greater(t, len(colors), 20, "something is drawn")
	}
}
