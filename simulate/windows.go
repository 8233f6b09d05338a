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

	queue   []queued
	touched int64 // of no meaning: what is read is used
}

// window is a ring of the grants of a key, in a cache line.
type window struct {
	ring        []grant
	first, size uint32
	sum         int64 // of the ring, which may have grants before the last span
	newest      int64
	_           [16]byte
}

type grant struct {
	at int64
	n  int64
}

// queued is a grant that is not in its window yet.
type queued struct {
	grant
	key int32
}

const (
	// mostKept is how many grants are kept before those of a key are put together: 64 MiB.
	mostKept = 1 << 22

	// batch is how many updates of keys are made together. The memory of many keys is far apart, so
	// all of them is touched first: then the processor waits for it once, and not for each key.
	batch = 64
)

func newWindows(length int64) windows {
	return windows{length: length, queue: make([]queued, 0, batch)}
}

// grant adds a grant, which is not before the last one, at the next flush.
func (w *windows) grant(now int64, key int32, n int64) {
	for int(key) >= len(w.of) {
		w.of = append(w.of, window{})
	}
	w.queue = append(w.queue, queued{grant{now, n}, key})
	if len(w.queue) == batch {
		w.flush()
	}
}

// flush adds all grants to their windows.
func (w *windows) flush() {
	for i := range w.queue {
		w.touched += w.of[w.queue[i].key].sum
	}
	for i := range w.queue {
		if k := &w.of[w.queue[i].key]; len(k.ring) > 0 {
			w.touched += k.at(k.size).n
		}
	}
	for i := range w.queue {
		w.add(&w.queue[i])
	}
	w.queue = w.queue[:0]
}

// add adds a grant to its window. What is older than a span is forgotten when it matters: when
// there seems to be more than ever before, or the ring is full.
func (w *windows) add(g *queued) {
	k := &w.of[g.key]
	if k.sum+g.n > w.most {
		k.forget(g.at - w.length)
	}
	if k.sum += g.n; k.sum > w.most {
		w.most, w.whose = k.sum, g.key
	}
	if k.size > 0 && k.newest == g.at {
		k.at(k.size - 1).n += g.n
		return
	}
	if int(k.size) == len(k.ring) {
		k.forget(g.at - w.length)
	}
	if int(k.size) == len(k.ring) {
		if w.kept >= mostKept && k.size > 0 {
			k.halve()
			w.coarse = true
		} else {
			w.kept += k.grow()
		}
	}
	k.newest = g.at
	k.size++
	*k.at(k.size - 1) = g.grant
}

// at returns the place of a grant, of which the oldest is 0.
func (k *window) at(i uint32) *grant { return &k.ring[int(k.first+i)&(len(k.ring)-1)] }

// forget takes off the grants until then.
func (k *window) forget(until int64) {
	for k.size > 0 && k.at(0).at <= until {
		k.sum -= k.at(0).n
		k.first++
		k.size--
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

// halve puts the grants of a full ring together in pairs, as of the earlier time. So they are
// forgotten too early, and what is found is at least granted.
func (k *window) halve() {
	for i := range k.size / 2 {
		a, b := k.at(2*i), k.at(2*i+1)
		*k.at(i) = grant{a.at, a.n + b.n}
	}
	k.size /= 2
}
