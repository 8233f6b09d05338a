package simulate

import (
	"cmp"
	"slices"
	"time"
)

// Diff is how two judges differ, by the first try of each request.
type Diff struct {
	From string `json:"from"` // the name of the other

	BothGranted    int `json:"both_granted"`
	BothRefused    int `json:"both_refused"`
	NewlyRefused   int `json:"newly_refused"`   // the other has granted them
	NewlyGranted   int `json:"newly_granted"`   // the other has refused them
	KeysRefused    int `json:"keys_refused"`    // with requests newly refused
	KeysGranted    int `json:"keys_granted"`    // with requests newly granted
	KeysDifferent  int `json:"keys_different"`  // with either
	OthersRequests int `json:"others_requests"` // of these two, in keys that are not told apart

	Worst    []KeyDiff     `json:"worst"`    // keys, the most different first
	Examples []RequestDiff `json:"examples"` // the first requests
}

// KeyDiff is how the requests of a key are judged differently.
type KeyDiff struct {
	Key          string `json:"key"`
	NewlyRefused int    `json:"newly_refused"`
	NewlyGranted int    `json:"newly_granted"`
}

// RequestDiff is a request that is judged differently.
type RequestDiff struct {
	At      time.Time `json:"at"`
	Key     string    `json:"key"`
	Method  string    `json:"method,omitempty"`
	Path    string    `json:"path,omitempty"`
	Granted bool      `json:"granted"` // and the other has refused it
}

// diff counts how a lane differs from the first.
type diff struct {
	Diff
	keys map[int32]*KeyDiff
}

// differ counts a request that both lanes have just judged.
func (l *lane) differ(from *lane, key int32, r *Request) {
	d := &l.diff
	switch {
	case l.granted && from.granted:
		d.BothGranted++
		return
	case !l.granted && !from.granted:
		d.BothRefused++
		return
	}
	k := d.keys[key]
	if k == nil {
		if d.keys == nil {
			d.keys = map[int32]*KeyDiff{}
		}
		k = &KeyDiff{}
		d.keys[key] = k
	}
	if l.granted {
		d.NewlyGranted++
		k.NewlyGranted++
	} else {
		d.NewlyRefused++
		k.NewlyRefused++
	}
	if len(d.Examples) < l.options.Top {
		d.Examples = append(d.Examples, RequestDiff{r.At, r.Key, r.Method, r.Path, l.granted})
	}
}

func (d *diff) result(from string, keys *keys, top int) *Diff {
	found := d.Diff
	found.From, found.Worst, found.Examples = from, []KeyDiff{}, append([]RequestDiff{}, d.Examples...) // in JSON, [] if there are none
	for number, k := range d.keys {
		k.Key = keys.name(number)
		found.Worst = append(found.Worst, *k)
		found.KeysDifferent++
		if k.NewlyRefused > 0 {
			found.KeysRefused++
		}
		if k.NewlyGranted > 0 {
			found.KeysGranted++
		}
	}
	if k := d.keys[0]; k != nil {
		found.OthersRequests = k.NewlyGranted + k.NewlyRefused
	}
	slices.SortFunc(found.Worst, func(a, b KeyDiff) int {
		return cmp.Or(cmp.Compare(b.NewlyRefused+b.NewlyGranted, a.NewlyRefused+a.NewlyGranted), cmp.Compare(a.Key, b.Key))
	})
	found.Worst = found.Worst[:min(len(found.Worst), top)]
	return &found
}
