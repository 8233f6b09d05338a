package ratelimit_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/gcra"
	"github.com/seed-3506548a/ratelimit/keyed"
)

var limits = ratelimit.Must(keyed.NewGCRA[string](ratelimit.PerMinute(90), 10, 100_000)) // 100,000 active users

func limited(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		d := limits.Take(r.Header.Get("X-User"), 1) // as your authentication knows the user
		if !d.OK {
			seconds := (d.RetryAfter + time.Second - 1) / time.Second
			w.Header().Set("Retry-After", strconv.Itoa(int(seconds)))
			http.Error(w, "too many requests", http.StatusTooManyRequests)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func fetch(ctx context.Context, limiter ratelimit.Limiter, urls []string) error {
	for _, url := range urls {
		if err := ratelimit.Wait(ctx, limiter, 1); err != nil {
			return err
		}
		resp, err := http.Get(url)
		if err != nil {
			return err
		}
		_ = resp.Body.Close() // after reading it
	}
	return nil
}

// TestReadme runs the program that the README shows, and demands that its other code is this
// file's.
func TestReadme(t *testing.T) {
	text, err := os.ReadFile("README.md")
	require.NoError(t, err)
	own, err := os.ReadFile("readme_test.go")
	require.NoError(t, err)
	blocks := regexp.MustCompile("(?s)```go\n(.*?)```(?:\n\n```\n(.*?)```)?").FindAllStringSubmatch(string(text), -1)
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
		require.Equal(t, block[2], string(out))
	}
}

// The handler and the client of the README, at work.
func TestReadmeHandlerAndClient(t *testing.T) {
	server := httptest.NewServer(limited(http.NotFoundHandler()))
	defer server.Close()
	codes := map[int]int{}
	for i := range 12 {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("X-User", fmt.Sprint(i/11))
		w := httptest.NewRecorder()
		server.Config.Handler.ServeHTTP(w, r)
		codes[w.Code]++
		if w.Code == http.StatusTooManyRequests {
			require.Equal(t, "1", w.Header().Get("Retry-After"))
		}
	}
	require.Equal(t, map[int]int{http.StatusNotFound: 11, http.StatusTooManyRequests: 1}, codes)

	fast := ratelimit.Must(gcra.New(ratelimit.PerSecond(1000), 2))
	require.NoError(t, fetch(t.Context(), fast, []string{server.URL, server.URL}))
}
