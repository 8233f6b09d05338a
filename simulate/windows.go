package simulate

// windows finds the most events that were granted to a key in any half-open span of a length. It
// keeps the grants of each key within the last span.
type windows struct {
	length int64
	of     []window // by the numbers of keys
	kept   int      // grants, of all keys
	most   int64
	whose  int32
	coarse bool // grants of a key were put together, so there may have been more
}

// window is a ring of the grants of a key. What each request needs is in one cache line: when the
// oldest and the newest of them were is here as well as in the ring.
type window struct {
	ring           []grant
	first, size    int
	sum            int64
	oldest, newest int64
}

type grant struct {
	at int64
	n  int64
}

// mostKept is how many grants are kept before those of a key are put together: 64 MiB.
const mostKept = 1 << 22

func newWindows(length int64) windows { return windows{length: length} }

// grant adds a grant, which is not before the last one.
func (w *windows) grant(now int64, key int32, n int64) {
	for int(key) >= len(w.of) {
		w.of = append(w.of, window{})
	}
	k := &w.of[key]
	for k.size > 0 && now-k.oldest >= w.length {
		k.forget()
	}
	if k.sum += n; k.sum > w.most {
		w.most, w.whose = k.sum, key
	}
	if k.size > 0 && k.newest == now {
		k.at(k.size - 1).n += n
		return
	}
	if k.size == len(k.ring) {
		if w.kept >= mostKept && k.size > 1 {
			k.halve()
			w.coarse = true
		} else {
			w.kept += k.grow()
		}
	}
	if k.size == 0 {
		k.oldest = now
	}
	k.newest = now
	k.size++
	*k.at(k.size - 1) = grant{now, n}
}

// at returns the place of a grant, of which the oldest is 0.
func (k *window) at(i int) *grant { return &k.ring[(k.first+i)&(len(k.ring)-1)] }

// forget takes the oldest grant off.
func (k *window) forget() {
	k.sum -= k.at(0).n
	k.first++
	if k.size--; k.size > 0 {
		k.oldest = k.at(0).at
	}
}

// grow makes room for twice as many grants, and returns how much more that is.
func (k *window) grow() int {
	more := max(len(k.ring), 2)
	ring := make([]grant, len(k.ring)+more)
	for i := range k.size {
		ring[i] = *k.at(i)
	}
	k.ring, k.first = ring, 0
	return more
}

// halve puts grants together in pairs, as of the earlier time. So they are forgotten too early, and
// what is found is at least granted.
func (k *window) halve() {
	for i := range k.size / 2 {
		a, b := k.at(2*i), k.at(2*i+1)
		*k.at(i) = grant{a.at, a.n + b.n}
	}
	if k.size%2 == 1 {
		*k.at(k.size / 2) = *k.at(k.size - 1)
	}
	k.size = (k.size + 1) / 2
	k.newest = k.at(k.size - 1).at
}
