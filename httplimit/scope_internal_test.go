package httplimit

import (
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func newScope() *scope {
	return &scope{host: new(barrier), lanes: map[string]*lane{}, routes: map[string]string{}, flying: map[*passage]struct{}{}}
}

// A request belongs to what others of its method belong to whose path begins alike: the longest of
// its beginnings counts, of at most four segments.
func TestRouteKeys(t *testing.T) {
	for path, want := range map[string]string{
		"/":               "",
		"//":              "",
		"/a":              "/a",
		"/a/":             "/a",
		"/a/b":            "/a/b /a",
		"/a%2Fb/c":        "/a%2Fb/c /a%2Fb",
		"/a/b/c/d":        "/a/b/c/d /a/b/c /a/b /a",
		"/a/b/c/d/":       "/a/b/c/d /a/b/c /a/b /a",
		"/a/b/c/d/e":      "/a/b/c/d /a/b/c /a/b /a",
		"/aa/bb/cc/dd/ee": "/aa/bb/cc/dd /aa/bb/cc /aa/bb /aa",
	} {
		keys := []string{}
		for key := range routeKeys(httptest.NewRequest(http.MethodPut, "https://example.com"+path, nil)) {
			method, beginning, _ := strings.Cut(key, " ")
			require.Equal(t, http.MethodPut, method)
			keys = append(keys, "/"+beginning)
		}
		require.Equal(t, strings.Fields(want), keys, path)
		for range routeKeys(httptest.NewRequest(http.MethodPut, "https://example.com"+path, nil)) {
			break // the others need not be looked at
		}
	}
}

// Requests go to the lane of their route, and those of which nothing is known to one of their own.
func TestLaneFor(t *testing.T) {
	s := newScope()
	get := func(method, path string) *lane { return s.laneFor(httptest.NewRequest(method, path, nil), at(0)) }
	s.learnRoute(httptest.NewRequest(http.MethodGet, "/a/b/c", nil), "x")
	s.learnRoute(httptest.NewRequest(http.MethodGet, "/a/b/d", nil), "y")
	x, y, unknown := s.lane("x", at(0)), s.lane("y", at(0)), s.lane("", at(0))
	require.NotSame(t, x, y)
	require.Same(t, x, get(http.MethodGet, "/a/b/c/1"))
	require.Same(t, y, get(http.MethodGet, "/a/b/d"))
	require.Same(t, y, get(http.MethodGet, "/a/b/e"), "the last one")
	require.Same(t, y, get(http.MethodGet, "/a"))
	require.Same(t, unknown, get(http.MethodGet, "/b"))
	require.Same(t, unknown, get(http.MethodPost, "/a/b/c"))
	require.Same(t, unknown, get(http.MethodGet, "/"))
}

// Of requests whose partition is not known one goes ahead when there is a new one.
func TestNewLanesRefresh(t *testing.T) {
	s := newScope()
	unknown := s.lane("", at(0)).barrier
	require.False(t, unknown.fresh)
	s.lane("", at(0))
	require.False(t, unknown.fresh, "that is no new one")
	s.lane("x", at(0))
	require.True(t, unknown.fresh)
	unknown.fresh = false
	s.lane("x", at(0))
	require.False(t, unknown.fresh, "it is known")
}

// There are as many lanes as are kept, and more only while requests wait in them. Idle ones go
// first.
func TestLanesAreBounded(t *testing.T) {
	s := newScope()
	busy := func(l *lane) { l.barrier.pause(at(time.Hour)) }
	busy(s.lane("", at(0)))
	for i := range mostKept - 1 {
		l := s.lane(strconv.Itoa(i), at(0))
		if i%2 == 0 {
			busy(l)
		}
	}
	require.Len(t, s.lanes, mostKept, "all of them")
	(&waiting{}).join(s.lanes["1"], false)
	s.lane("more", at(0))
	require.Contains(t, s.lanes, "1", "a request waits in it")
	require.Contains(t, s.lanes, "2", "it is in use")
	require.NotContains(t, s.lanes, "3", "it is idle")
	for i := range 10 * mostKept {
		busy(s.lane("busy "+strconv.Itoa(i), at(0)))
		require.LessOrEqual(t, len(s.lanes), mostKept)
	}
	require.Contains(t, s.lanes, "1")
	require.NotContains(t, s.lanes, "2", "too many are in use")
}

// So many routes are kept, or a few more, which a request has learned at once.
func TestRoutesAreBounded(t *testing.T) {
	s := newScope()
	for i := range mostKept {
		require.Len(t, s.routes, i)
		s.learnRoute(httptest.NewRequest(http.MethodGet, "/"+strconv.Itoa(i), nil), "x")
	}
	require.Len(t, s.routes, mostKept)
	s.learnRoute(httptest.NewRequest(http.MethodGet, "/a/b/c/d", nil), "y")
	require.Equal(t, map[string]string{"GET a": "y", "GET a/b": "y", "GET a/b/c": "y", "GET a/b/c/d": "y"}, s.routes)
}

// The first of a lane looks when another leaves; what was sent before goes to its front.
func TestLines(t *testing.T) {
	l := &lane{barrier: new(barrier)}
	all := make([]*waiting, 3)
	for i := range all {
		all[i] = &waiting{wake: make(chan struct{}, 1)}
		all[i].join(l, i == 2)
	}
	firsts := func() (is []bool) {
		for _, w := range all {
			is = append(is, w.lane != nil && w.isFirst())
		}
		return is
	}
	woken := func() (which []int) {
		for i, w := range all {
			select {
			case <-w.wake:
				which = append(which, i)
			default:
			}
		}
		return which
	}
	require.Equal(t, []bool{false, false, true}, firsts())
	require.Empty(t, woken())
	s := newScope()
	s.lanes["x"] = l
	for range 2 { // at most once
		s.wake(false)
	}
	require.Equal(t, []int{2}, woken())
	s.wake(true)
	require.Equal(t, []int{0, 1, 2}, woken())
	for _, step := range []struct {
		leaves int
		woken  []int
	}{{1, []int{2}}, {2, []int{0}}, {2, nil}, {0, nil}} {
		all[step.leaves].leave()
		require.Equal(t, step.woken, woken())
		require.Nil(t, all[step.leaves].lane)
	}
	s.wake(false)
	s.wake(true)
	require.Empty(t, woken())
	require.Zero(t, l.line.Len())
}

// What the server may have counted or not is what was sent later, and what was under way.
func TestUnseen(t *testing.T) {
	s := &scope{sent: 7}
	require.Equal(t, int64(0), s.unseen(&passage{order: 7}))
	require.Equal(t, int64(2), s.unseen(&passage{order: 5}))
	require.Equal(t, int64(5), s.unseen(&passage{order: 5, beside: 3}))
}

// A scope is in use while requests are under way or wait, and while a barrier of it matters.
func TestScopeIsIdle(t *testing.T) {
	for name, use := range map[string]func(*scope){
		"under way":      func(s *scope) { s.flying[new(passage)] = struct{}{} },
		"paused":         func(s *scope) { s.barrier.pause(at(1)) },
		"a lane, paused": func(s *scope) { s.lane("x", at(0)).barrier.pause(at(1)) },
		"waited for":     func(s *scope) { (&waiting{}).join(s.lane("x", at(0)), false) },
	} {
		s := newScope()
		s.lane("", at(0))
		s.lane("y", at(0))
		require.True(t, s.idle(at(0)), name)
		use(s)
		require.False(t, s.idle(at(0)), name)
		require.Equal(t, strings.HasSuffix(name, "paused"), s.idle(at(1)), name)
	}
}
