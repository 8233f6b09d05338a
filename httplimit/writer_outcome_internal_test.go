package httplimit

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The status is the first that is no information, or 101; without one, a handler that panics has
// failed, and others are fine.
func TestOutcome(t *testing.T) {
	for _, c := range []struct {
		statuses     []int
		want, panics int
	}{
		{nil, 200, 500},
		{[]int{100}, 200, 500},
		{[]int{102, 103}, 200, 500},
		{[]int{199}, 200, 500},
		{[]int{101}, 101, 101},
		{[]int{101, 200}, 101, 101},
		{[]int{103, 200}, 200, 200},
		{[]int{204, 500}, 204, 204},
		{[]int{599}, 599, 599},
	} {
		inner := &statuses{ResponseWriter: httptest.NewRecorder()}
		tracked := &tracker{ResponseWriter: inner}
		for _, status := range c.statuses {
			tracked.WriteHeader(status)
		}
		require.Equal(t, c.statuses, inner.all, "all are passed on")
		require.Equal(t, c.want, tracked.outcome(false), c.statuses)
		require.Equal(t, c.panics, tracked.outcome(true), c.statuses)
	}
}

// statuses takes note of each status.
type statuses struct {
	http.ResponseWriter
	all []int
}

func (w *statuses) WriteHeader(status int) { w.all = append(w.all, status) }

var errGone = errors.New("the client is gone")

// breaking fails after two bytes.
type breaking struct{ http.ResponseWriter }

func (breaking) Write(p []byte) (int, error) { return min(len(p), 2), errGone }

func (breaking) ReadFrom(io.Reader) (int64, error) { return 2, errGone }

func (breaking) Hijack() (net.Conn, *bufio.ReadWriter, error) { return nil, nil, errGone }

// What is written counts as far as it has gone out, and its status is 200 unless there is one.
func TestWrittenBytes(t *testing.T) {
	for name, write := range map[string]func(http.ResponseWriter) (int64, error){
		"Write": func(w http.ResponseWriter) (int64, error) {
			n, err := w.Write([]byte("12345"))
			return int64(n), err
		},
		"WriteString": func(w http.ResponseWriter) (int64, error) {
			n, err := io.WriteString(w, "12345")
			return int64(n), err
		},
		"ReadFrom": func(w http.ResponseWriter) (int64, error) {
			return w.(io.ReaderFrom).ReadFrom(strings.NewReader("12345"))
		},
	} {
		for _, status := range []int{0, 404} {
			tracked := &tracker{ResponseWriter: breaking{httptest.NewRecorder()}, status: status}
			w := tracked.wrapped()
			for i := range int64(3) {
				n, err := write(w)
				require.Equal(t, errGone, err, name)
				require.Equal(t, int64(2), n, name)
				require.Equal(t, 2*(i+1), tracked.written.Load(), name)
			}
			want := status
			if status == 0 {
				want = 200
			}
			require.Equal(t, want, tracked.outcome(true), name)
		}
	}
}

// ReadFrom of a source that fails at once has sent nothing, so the status is still the handler's to
// say. A byte sends it.
func TestReadFromOfNothing(t *testing.T) {
	for src, want := range map[io.Reader]int{failing{errGone}: 502, strings.NewReader(""): 502, strings.NewReader("1"): 200} {
		inner := httptest.NewRecorder()
		tracked := &tracker{ResponseWriter: struct {
			plainWriter
			fakeReader
		}{plainWriter{inner}, fakeReader{inner}}}
		w := tracked.wrapped()
		n, _ := w.(io.ReaderFrom).ReadFrom(src)
		require.Equal(t, want == 200, n > 0)
		require.Equal(t, want != 200, tracked.outcome(true) == 500)
		w.WriteHeader(502)
		require.Equal(t, want, inner.Code)
		require.Equal(t, want, tracked.outcome(false))
	}
}

// A connection that was taken over is an upgrade, if it was, and if there was no answer before.
func TestHijackOutcome(t *testing.T) {
	tracked := &tracker{ResponseWriter: breaking{httptest.NewRecorder()}}
	_, _, err := http.NewResponseController(tracked.wrapped()).Hijack()
	require.Equal(t, errGone, err)
	require.Equal(t, 500, tracked.outcome(true))
	tracked = &tracker{ResponseWriter: taken{httptest.NewRecorder()}, status: 404}
	_, _, err = http.NewResponseController(tracked.wrapped()).Hijack()
	require.NoError(t, err)
	require.Equal(t, 404, tracked.outcome(true))
}

// A connection counts as taken over also if the writer of another middleware only unwraps to that
// which can.
func TestHijackOutcomeBehindAnother(t *testing.T) {
	tracked := &tracker{ResponseWriter: logged{logged{taken{httptest.NewRecorder()}}}}
	_, _, err := http.NewResponseController(tracked.wrapped()).Hijack()
	require.NoError(t, err)
	require.Equal(t, 101, tracked.outcome(false))
	tracked = &tracker{ResponseWriter: logged{httptest.NewRecorder()}}
	_, ok := tracked.wrapped().(http.Hijacker)
	require.False(t, ok)
}

// A flush sends the status also if the writer of another middleware only unwraps to that which can.
func TestFlushOutcomeBehindAnother(t *testing.T) {
	inner := httptest.NewRecorder()
	tracked := &tracker{ResponseWriter: logged{logged{inner}}}
	w := tracked.wrapped()
	_, ok := w.(http.Flusher)
	require.False(t, ok)
	require.NoError(t, http.NewResponseController(w).Flush())
	w.WriteHeader(500) // too late
	require.Equal(t, 200, inner.Code)
	require.Equal(t, 200, tracked.outcome(true))

	tracked = &tracker{ResponseWriter: logged{plainWriter{httptest.NewRecorder()}}}
	require.ErrorIs(t, http.NewResponseController(tracked.wrapped()).Flush(), http.ErrNotSupported)
	require.Equal(t, 500, tracked.outcome(true), "nothing was sent")
}

// logged is a ResponseWriter as a middleware for logs has it.
type logged struct{ http.ResponseWriter }

func (l logged) Unwrap() http.ResponseWriter { return l.ResponseWriter }

// taken is a ResponseWriter whose connection can be taken over.
type taken struct{ http.ResponseWriter }

func (taken) Hijack() (net.Conn, *bufio.ReadWriter, error) { return nil, nil, nil }

// What is read of a request's body counts, also with an error.
func TestCountedBody(t *testing.T) {
	body := &counted{ReadCloser: io.NopCloser(io.MultiReader(strings.NewReader("123"), strings.NewReader("4567")))}
	for _, want := range []int64{2, 3, 5, 7, 7} {
		_, _ = body.Read(make([]byte, 2))
		require.Equal(t, want, body.n.Load())
	}
}
