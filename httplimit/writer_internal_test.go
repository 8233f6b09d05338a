package httplimit

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// plainWriter has nothing but the three methods.
type plainWriter struct{ http.ResponseWriter }

type fakeFlusher struct{ flushed *int }

func (f fakeFlusher) Flush() { *f.flushed++ }

var errFlush = errors.New("the client is gone")

type failingFlusher struct{ fakeFlusher }

func (f failingFlusher) FlushError() error {
	f.Flush()
	return errFlush
}

type fakeHijacker struct{}

func (fakeHijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) { return nil, nil, nil }

type fakeReader struct{ w io.Writer }

func (f fakeReader) ReadFrom(src io.Reader) (int64, error) { return io.Copy(f.w, src) }

type fakePusher struct{ pushed *int }

func (f fakePusher) Push(string, *http.PushOptions) error {
	*f.pushed++
	return nil
}

// The wrapped writer has what the inner one has, of all sixteen kinds, and each part reaches it.
func TestWrappedHasWhatTheInnerOneHas(t *testing.T) {
	for kind := range 16 {
		canFlush, canHijack, canRead, canPush := kind&1 != 0, kind&2 != 0, kind&4 != 0, kind&8 != 0
		t.Run(fmt.Sprintf("flush=%v/hijack=%v/read=%v/push=%v", canFlush, canHijack, canRead, canPush), func(t *testing.T) {
			var flushed, pushed int
			inner := httptest.NewRecorder()
			p, f, h, r, u := plainWriter{inner}, fakeFlusher{&flushed}, fakeHijacker{}, fakeReader{inner}, fakePusher{&pushed}
			writers := []http.ResponseWriter{
				p, struct {
					plainWriter
					fakeFlusher
				}{p, f}, struct {
					plainWriter
					fakeHijacker
				}{p, h}, struct {
					plainWriter
					fakeFlusher
					fakeHijacker
				}{p, f, h}, struct {
					plainWriter
					fakeReader
				}{p, r}, struct {
					plainWriter
					fakeFlusher
					fakeReader
				}{p, f, r}, struct {
					plainWriter
					fakeHijacker
					fakeReader
				}{p, h, r}, struct {
					plainWriter
					fakeFlusher
					fakeHijacker
					fakeReader
				}{p, f, h, r}, struct {
					plainWriter
					fakePusher
				}{p, u}, struct {
					plainWriter
					fakeFlusher
					fakePusher
				}{p, f, u}, struct {
					plainWriter
					fakeHijacker
					fakePusher
				}{p, h, u}, struct {
					plainWriter
					fakeFlusher
					fakeHijacker
					fakePusher
				}{p, f, h, u}, struct {
					plainWriter
					fakeReader
					fakePusher
				}{p, r, u}, struct {
					plainWriter
					fakeFlusher
					fakeReader
					fakePusher
				}{p, f, r, u}, struct {
					plainWriter
					fakeHijacker
					fakeReader
					fakePusher
				}{p, h, r, u}, struct {
					plainWriter
					fakeFlusher
					fakeHijacker
					fakeReader
					fakePusher
				}{p, f, h, r, u},
			}
			tracked := &tracker{ResponseWriter: writers[kind]}
			w := tracked.wrapped()

			flusher, ok := w.(http.Flusher)
			require.Equal(t, canFlush, ok)
			hijacker, ok := w.(http.Hijacker)
			require.Equal(t, canHijack, ok)
			reader, ok := w.(io.ReaderFrom)
			require.Equal(t, canRead, ok)
			pusher, ok := w.(http.Pusher)
			require.Equal(t, canPush, ok)

			if canPush {
				require.NoError(t, pusher.Push("/", nil))
				require.Equal(t, 1, pushed)
				require.Zero(t, tracked.status)
			}
			if canHijack {
				_, _, err := hijacker.Hijack()
				require.NoError(t, err)
				require.Equal(t, 101, tracked.status)
				tracked.status = 0
			}
			if canFlush {
				flusher.Flush()
				require.NoError(t, http.NewResponseController(w).Flush())
				require.Equal(t, 2, flushed)
				require.Equal(t, 200, tracked.status)
				tracked.status = 0
			} else {
				require.ErrorIs(t, http.NewResponseController(w).Flush(), http.ErrNotSupported)
				require.Zero(t, tracked.status)
			}
			if canRead {
				n, err := reader.ReadFrom(strings.NewReader("12345"))
				require.NoError(t, err)
				require.EqualValues(t, 5, n)
				require.Equal(t, 200, tracked.status)
			} else {
				n, err := io.Copy(w, strings.NewReader("12345"))
				require.NoError(t, err)
				require.EqualValues(t, 5, n)
			}
			require.EqualValues(t, 5, tracked.written.Load())
			require.Equal(t, "12345", inner.Body.String())
			require.Equal(t, writers[kind], w.(interface{ Unwrap() http.ResponseWriter }).Unwrap())
		})
	}
}

func TestFlushErrorsAreTheInnerOnes(t *testing.T) {
	var flushed int
	w := (&tracker{ResponseWriter: struct {
		plainWriter
		failingFlusher
	}{plainWriter{httptest.NewRecorder()}, failingFlusher{fakeFlusher{&flushed}}}}).wrapped()
	require.ErrorIs(t, http.NewResponseController(w).Flush(), errFlush)
	require.Equal(t, 1, flushed)
}

// A status that is none panics in the server, and is not taken for one.
func TestInvalidStatus(t *testing.T) {
	tracked := &tracker{ResponseWriter: httptest.NewRecorder()}
	require.Panics(t, func() { tracked.WriteHeader(99) })
	require.Equal(t, 500, tracked.outcome(true))
}
