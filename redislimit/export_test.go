package redislimit

import "github.com/seed-3506548a/ratelimit"

// Waiting returns how many requests for a key wait to be sent together.
func (s *Store) Waiting(key string) int {
	s.groups.mutex.Lock()
	defer s.groups.mutex.Unlock()
	if b := s.groups.next[key]; b != nil {
		return len(b.ns)
	}
	return 0
}

// Leased returns of how many keys this node may hold events.
func (s *Store) Leased() int {
	s.leases.mutex.Lock()
	defer s.leases.mutex.Unlock()
	return len(s.leases.of)
}

// Slots returns how many refusals are remembered at most.
func (s *Store) Slots() int {
	if s.memory == nil {
		return 0
	}
	return len(s.memory.slots)
}

// Choose returns the error of options that fit no constructor.
func Choose(opts ...Option) error {
	_, err := choose("redislimit.Choose", opts)
	return err
}

// Ticks returns the ticks of a microsecond, of an event, of a full burst and of the most that can
// be owed.
func Ticks(rate ratelimit.Rate, burst int) [4]uint64 {
	b := newBucket(rate, burst)
	return [4]uint64{b.perMicro, b.perEvent, b.depth, b.most}
}
