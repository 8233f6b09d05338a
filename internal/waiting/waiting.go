// Package waiting lets whoever waits for a limiter hear of changes that may let it grant sooner: a
// refund, a change of rate. A limiter pays nothing for it while nobody waits, but one load in those
// calls, which are not decisions.
package waiting

import (
	"sync"
	"sync/atomic"
)

// watched holds, for each limiter that somebody waits for, the channels of those who do.
var watched struct {
	count    atomic.Int64 // of channels, so that Changed need not lock if there is none
	mutex    sync.Mutex
	channels map[any][]chan struct{}
}

// Watch has Changed of the limiter send to c, whose capacity is 1, unless something is in it
// already. The limiter must be comparable, and equal to itself.
func Watch(limiter any, c chan struct{}) {
	watched.mutex.Lock()
	defer watched.mutex.Unlock()
	if watched.channels == nil {
		watched.channels = map[any][]chan struct{}{}
	}
	watched.channels[limiter] = append(watched.channels[limiter], c)
	watched.count.Add(1)
}

// Unwatch ends what Watch began.
func Unwatch(limiter any, c chan struct{}) {
	watched.mutex.Lock()
	defer watched.mutex.Unlock()
	all := watched.channels[limiter]
	for i := range all {
		if all[i] == c {
			all[i] = all[len(all)-1]
			all[len(all)-1] = nil
			all = all[:len(all)-1]
			watched.count.Add(-1)
			break
		}
	}
	if len(all) == 0 {
		delete(watched.channels, limiter)
	} else {
		watched.channels[limiter] = all
	}
}

// Changed is called after the limiter has changed.
func Changed(limiter any) {
	if watched.count.Load() == 0 {
		return
	}
	watched.mutex.Lock()
	defer watched.mutex.Unlock()
	for _, c := range watched.channels[limiter] {
		select {
		case c <- struct{}{}:
		default:
		}
	}
}
