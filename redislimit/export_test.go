package redislimit

// Waiting returns how many requests for a key wait to be sent together.
func (s *Store) Waiting(key string) int {
	s.groups.mutex.Lock()
	defer s.groups.mutex.Unlock()
	if b := s.groups.next[key]; b != nil {
		return len(b.ns)
	}
	return 0
}
