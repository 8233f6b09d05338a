package strikes

import (
	"math"
	"time"
)

// never is before all times: the end of what there was not.
const never int64 = math.MinInt64

// shortest is how long an episode lasts at least.
const shortest = time.Second

// Dossier is what is known of a key. It is immutable; times are as the table's callers have them.
type Dossier struct {
	episode  episode
	block    int64 // until when; never if there was none
	throttle int64
	slow     int32
	tallies  [MaxSpans]tally // one for each span of the ladder
}

// unknown is the dossier of a key that has none.
var unknown = Dossier{episode: episode{never, never}, block: never, throttle: never}

// known returns d, or what there is to know of a key without a dossier.
func known(d *Dossier) *Dossier {
	if d == nil {
		return &unknown
	}
	return d
}

// Blocked returns the end of the key's block, if there is one at now.
func (d *Dossier) Blocked(now int64) (until int64, ok bool) { return d.block, now < d.block }

// Throttled returns the end of the key's throttle, if there is one at now, and which limit the key
// has until then: the Slow of the step that acted last.
func (d *Dossier) Throttled(now int64) (until int64, slow int32, ok bool) {
	return d.throttle, d.slow, now < d.throttle
}

// InEpisode reports whether a refusal at now would be no new strike.
func (d *Dossier) InEpisode(now int64) bool { return d.episode.holds(now) }

// Strikes returns how many strikes were counted in the span of that length by the last of them: 1
// if the length is 0, where each strike is by itself.
func (d *Dossier) Strikes(within time.Duration) int {
	if within == 0 {
		return 1
	}
	return int(min(d.tally(within).count, math.MaxInt))
}

// tally returns that of a span of the given length, if there is one.
func (d *Dossier) tally(within time.Duration) tally {
	for i := range d.tallies {
		if d.tallies[i].within == within {
			return d.tallies[i]
		}
	}
	return tally{within: within}
}

// held reports whether the key is blocked or throttled at now.
func (d *Dossier) held(now int64) bool { return now < d.block || now < d.throttle }

// weight returns how many strikes count against the key at now.
func (d *Dossier) weight(now int64) (most int64) {
	for i := range d.tallies {
		if t := &d.tallies[i]; !t.over(now) {
			most = max(most, t.count)
		}
	}
	return most
}

// over reports whether nothing of the dossier matters at now or later.
func (d *Dossier) over(now int64) bool {
	return !d.held(now) && now >= d.episode.end && d.weight(now) == 0
}

// yields reports whether d is forgotten rather than the other, at now. Of two of which one is over,
// that is forgotten: it has no strikes that count, and its episode has ended.
func (d *Dossier) yields(other *Dossier, now int64) bool {
	if a, b := d.weight(now), other.weight(now); a != b {
		return a < b
	}
	return d.episode.end < other.episode.end
}

// raise puts off the end of the block, or of the throttle. Of several throttles, the last has the
// limit, and the longest the end.
func (d *Dossier) raise(do Do, until int64, slow int32) {
	switch do {
	case Block:
		d.block = max(d.block, until)
	case Throttle:
		d.throttle, d.slow = max(d.throttle, until), slow
	}
}

// episode is the time in which all refusals are one strike: from <= t < end. It begins shortest
// before the strike, since requests that came at once are refused in any order.
type episode struct{ from, end int64 }

// episodeAt returns the episode of a strike at now that was told to wait for so long.
func episodeAt(now int64, told time.Duration) episode {
	return episode{
		from: max(now, never+int64(shortest)) - int64(shortest),
		end:  after(now, max(told, shortest)),
	}
}

func (e episode) holds(now int64) bool { return e.from <= now && now < e.end }

// tally counts the strikes of a span, which begins with the first of them and has that length.
type tally struct {
	within time.Duration
	begin  int64
	count  int64 // 0: there is no span
}

// over reports whether the span was over at now. It is not before it began, as when a clock was
// set back, but a strike then begins another.
func (t *tally) over(now int64) bool {
	return t.count == 0 || now >= t.begin && uint64(now)-uint64(t.begin) >= uint64(t.within)
}

// with returns the tally after a strike at now.
func (t tally) with(now int64) tally {
	if t.over(now) || now < t.begin {
		t.begin, t.count = now, 0
	}
	t.count++
	return t
}

// after returns now+d, or the last of all times if that is later.
func after(now int64, d time.Duration) int64 {
	if now > 0 && int64(d) > math.MaxInt64-now {
		return math.MaxInt64
	}
	return now + int64(d)
}
