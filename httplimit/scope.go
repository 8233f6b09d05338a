package httplimit

import (
	"container/list"
	"maps"
	"net/http"
	"strings"
	"time"
)

// mostKept bounds the memory of what is not in use: of so many scopes, partitions of a scope, or
// routes the idle ones are forgotten, and of partitions, which servers name, all that nobody waits
// for.
const mostKept = 1024

// scope is what pauses together, with its partitions.
type scope struct {
	host    *barrier // of all scopes of the host: for pauses that a response calls global
	barrier barrier
	lanes   map[string]*lane  // by partition
	routes  map[string]string // the partition of requests, by method and the beginning of the path

	sent   uint64                // requests that have passed
	flying map[*passage]struct{} // requests without an answer
}

// lane is a line of the requests of one partition. Only the first of a line looks when it may pass,
// so a request that passes wakes one other, however many wait.
type lane struct {
	barrier *barrier
	line    list.List // of *waiting
}

// waiting is a request in a lane.
type waiting struct {
	lane  *lane
	place *list.Element
	first bool // when it looked last
	wake  chan struct{}
}

// passage is one try of a request, from when it passed its barriers until it was answered.
type passage struct {
	scope    *scope
	barriers []*barrier
	at       time.Time
	order    uint64 // its number among those of the scope
	beside   int64  // how many were under way
}

// barriersOf returns the barriers that requests of the lane pass.
func (s *scope) barriersOf(l *lane) []*barrier {
	return []*barrier{s.host, &s.barrier, l.barrier}
}

// laneFor returns the lane of the partition that the request belongs to, as far as that is known:
// that of requests of the same method whose path begins alike. At least the first segment must be
// the same.
func (s *scope) laneFor(r *http.Request, now time.Time) *lane {
	for key := range routeKeys(r) {
		if partition, ok := s.routes[key]; ok {
			return s.lane(partition, now)
		}
	}
	return s.lane("", now)
}

// lane returns the lane of a partition. If it is new, there may be more, so of the requests whose
// partition is not known one goes ahead.
func (s *scope) lane(partition string, now time.Time) *lane {
	l := s.lanes[partition]
	if l == nil {
		if partition != "" {
			s.lane("", now).barrier.refresh()
		}
		for _, all := range []bool{false, true} { // idle ones, and if there are too many others, all
			if len(s.lanes) < mostKept {
				break
			}
			maps.DeleteFunc(s.lanes, func(_ string, old *lane) bool {
				return old.line.Len() == 0 && (all || old.barrier.idle(now))
			})
		}
		l = &lane{barrier: new(barrier)}
		s.lanes[partition] = l
	}
	return l
}

// learnRoute takes note of the partition that a response names.
func (s *scope) learnRoute(r *http.Request, partition string) {
	if len(s.routes) >= mostKept {
		clear(s.routes) // they come again
	}
	for key := range routeKeys(r) {
		s.routes[key] = partition
	}
}

// routeKeys yields the method with the path and its beginnings, longest first, of at most four
// segments.
func routeKeys(r *http.Request) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		path := strings.Trim(r.URL.EscapedPath(), "/")
		end, segments := 0, 0
		for end < len(path) && segments < 4 {
			next := strings.IndexByte(path[end+1:], '/')
			if next < 0 {
				end = len(path)
				break
			}
			end += 1 + next
			segments++
		}
		for path = path[:end]; path != "" && yield(r.Method+" "+path); {
			path = path[:max(strings.LastIndexByte(path, '/'), 0)]
		}
	}
}

// join puts a request into the lane, at its front if it was sent before.
func (w *waiting) join(l *lane, again bool) {
	w.lane = l
	if again {
		w.place = l.line.PushFront(w)
	} else {
		w.place = l.line.PushBack(w)
	}
}

// leave takes a request out of the lane that it is in, if any. The next one looks.
func (w *waiting) leave() {
	if w.lane != nil {
		w.lane.line.Remove(w.place)
		w.lane.wakeFirst()
		w.lane = nil
	}
}

func (w *waiting) isFirst() bool { return w.lane.line.Front() == w.place }

func (w *waiting) look() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

func (l *lane) wakeFirst() {
	if first := l.line.Front(); first != nil {
		first.Value.(*waiting).look()
	}
}

// wake makes the first request of each lane look again, or all: those whose deadlines are before
// the end of a new pause fail at once.
func (s *scope) wake(all bool) {
	for _, l := range s.lanes {
		if !all {
			l.wakeFirst()
			continue
		}
		for e := l.line.Front(); e != nil; e = e.Next() {
			e.Value.(*waiting).look()
		}
	}
}

// unseen returns how many requests the server may or may not have counted when it answered p: those
// that were sent after it, and those that were under way when it was sent.
func (s *scope) unseen(p *passage) int64 { return int64(s.sent-p.order) + p.beside }

// idle reports whether the scope can be forgotten.
func (s *scope) idle(now time.Time) bool {
	if len(s.flying) > 0 || !s.barrier.idle(now) {
		return false
	}
	for _, l := range s.lanes {
		if l.line.Len() > 0 || !l.barrier.idle(now) {
			return false
		}
	}
	return true
}
