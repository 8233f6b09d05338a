package ratelimit_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/gcra"
	"github.com/seed-3506548a/ratelimit/httplimit"
	"github.com/seed-3506548a/ratelimit/keyed"
)

func limited(next http.Handler) http.Handler {
	users := ratelimit.Must(keyed.NewGCRA[string](ratelimit.PerMinute(90), 10, 100_000)) // room for 100,000 users at a time
	// X-User is set by the authentication, never by clients.
	return ratelimit.Must(httplimit.PerKey(users, httplimit.Header("X-User"), httplimit.IETF(11)))(next) // RateLimit as in IETF draft 11
}

// TestReadme runs the program that the README shows, and demands that its other code is this
// file's.
func TestReadme(t *testing.T) {
	text, err := os.ReadFile("README.md")
	require.NoError(t, err)
	own, err := os.ReadFile("readme_test.go")
	require.NoError(t, err)
	blocks := regexp.MustCompile("(?s)```go\n(.*?)```").FindAllStringSubmatch(string(text), -1)
	require.Len(t, blocks, 3)
	for _, block := range blocks {
		if !strings.HasPrefix(block[1], "package main") {
			require.Contains(t, string(own), block[1])
			continue
		}
		file := filepath.Join(t.TempDir(), "main.go")
		require.NoError(t, os.WriteFile(file, []byte(block[1]), 0o600))
		out, err := exec.Command("go", "run", file).CombinedOutput()
		require.NoError(t, err, "%s", out)
		_, printed, ok := strings.Cut(block[1], "\n}\n\n// ")
		require.True(t, ok)
		require.Equal(t, strings.ReplaceAll(printed, "\n// ", "\n"), string(out))
	}
}

// The handler and the client of the README, at work.
func TestReadmeHandlerAndClient(t *testing.T) {
	handler := limited(http.NotFoundHandler())
	server := httptest.NewServer(handler)
	defer server.Close()
	limiter := ratelimit.Must(gcra.New(ratelimit.PerSecond(1000), 2))
	client := &http.Client{Transport: &httplimit.Transport{Limiter: limiter}} // the limiter from above, or another one
	codes := map[int]int{}
	for i := range 12 {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, nil)
		require.NoError(t, err)
		r.Header.Set("X-User", fmt.Sprint(i/11))
		transport := client
		if i == 10 { // one too many for user 0, which the polite client would send again
			transport = http.DefaultClient
		}
		response, err := transport.Do(r)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		codes[response.StatusCode]++
		if response.StatusCode == http.StatusTooManyRequests {
			require.Equal(t, "1", response.Header.Get("Retry-After"))
		}
	}
	require.Equal(t, map[int]int{http.StatusNotFound: 11, http.StatusTooManyRequests: 1}, codes)
}
