package window

// before is a state that a change of rate replaced while reservations were pending.
type before struct {
	spec  *spec
	state state
	asked int64 // the offset of the change that was asked for
	depth int   // how many such states lie before this one
	left  state // what the change left
}

// mostBefore limits the memory of a window whose rate keeps changing while an old reservation is
// pending. What was reserved before that many changes is not given back.
const mostBefore = 16

// refunded returns the state with the rate and the capacity of s as if the reservation had been
// given back before these were set. Nothing was granted since.
func (b *before) refunded(s *spec, as int64, m made, granted int64) (*spec, state, bool) {
	old, after, ok := b.spec.refunded(b.state, as, m, granted)
	if !ok {
		return s, after, false
	}
	s, after = old.converted(after, b.asked, s.rate, s.capacity)
	return s, after, true
}

// chain returns what has to be remembered of a state that a change asked for at off replaces.
func chain(s *spec, st state, off int64) *before {
	b := &before{spec: s, state: st, asked: off}
	if last := s.before; last != nil {
		b.depth = last.depth + 1
	}
	if b.depth >= mostBefore {
		forgetful := *s
		forgetful.before = nil
		b.spec, b.depth = &forgetful, 0
	}
	return b
}
