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

// window is a ring of the grants of a key.
type window struct {
	ring        []grant
	first, size int
	sum         int64
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
	for k.size > 0 && now-k.ring[k.first].at >= w.length {
		k.sum -= k.ring[k.first].n
		k.first = (k.first + 1) & (len(k.ring) - 1)
		k.size--
	}
	if k.sum += n; k.sum > w.most {
		w.most, w.whose = k.sum, key
	}
	if k.size > 0 {
		if last := &k.ring[(k.first+k.size-1)&(len(k.ring)-1)]; last.at == now {
			last.n += n
			return
		}
	}
	if k.size == len(k.ring) {
		if w.kept >= mostKept && k.size > 1 {
			k.halve()
			w.coarse = true
		} else {
			w.kept += k.grow()
		}
	}
	k.ring[(k.first+k.size)&(len(k.ring)-1)] = grant{now, n}
	k.size++
}

// grow makes room for twice as many grants, and returns how much more that is.
func (k *window) grow() int {
	more := max(len(k.ring), 2)
	ring := make([]grant, len(k.ring)+more)
	for i := range k.size {
		ring[i] = k.ring[(k.first+i)&(len(k.ring)-1)]
	}
	k.ring, k.first = ring, 0
	return more
}

// halve puts grants together in pairs, as of the earlier time. So they are forgotten too early, and
// what is found is at least granted.
func (k *window) halve() {
	for i := range k.size / 2 {
		a, b := k.ring[(k.first+2*i)&(len(k.ring)-1)], k.ring[(k.first+2*i+1)&(len(k.ring)-1)]
		k.ring[(k.first+i)&(len(k.ring)-1)] = grant{a.at, a.n + b.n}
	}
	if k.size%2 == 1 {
		k.ring[(k.first+k.size/2)&(len(k.ring)-1)] = k.ring[(k.first+k.size-1)&(len(k.ring)-1)]
	}
	k.size = (k.size + 1) / 2
}
