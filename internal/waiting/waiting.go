// Package waiting notifies waiters of a limiter of changes that may let it grant sooner, such as a
// refund or a change of the rate. Decisions pay nothing for it. Calls that change a limiter pay one
// load while nobody waits.
package waiting

import (
	"sync"
	"sync/atomic"
)

// watched holds the channels of the waiters of each limiter.
var watched struct {
	count    atomic.Int64 // of channels; while it is 0, Changed does not lock
	mutex    sync.Mutex
	channels map[any][]chan struct{}
}

// Watch makes Changed of the limiter send to c, whose capacity is 1, unless c has a value already.
// The limiter must be comparable and equal to itself.
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

// Changed notifies the waiters of the limiter. It is called after a change.
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
