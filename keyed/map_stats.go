package keyed

// MapStats is what a Map has come across since it was made.
type MapStats struct {
	Len int // keys, as of Map.Len

	Evicted uint64 // keys that were forgotten to make room, also if factory then failed
	Refused uint64 // requests of new keys that there was no place for: see Full
	Late    uint64 // requests that were refused and whose time was late: see Late
	Failed  uint64 // times that factory made no limiter
	Err     error  // why it did not, the last time
}

// Stats returns what the map has come across.
func (m *Map[K]) Stats() MapStats {
	stats := MapStats{
		Len:     m.Len(),
		Evicted: m.evicted.Load(),
		Refused: m.refused.Load(),
		Late:    m.late.Load(),
		Failed:  m.failed.Load(),
	}
	if failure := m.failure.Load(); failure != nil {
		stats.Err = *failure
	}
	return stats
}
