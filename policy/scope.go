package policy

// scope is which requests something is for.
type scope struct {
	match []pattern
	when  []clause
}

// clause is a condition, and the place of its attribute.
type clause struct {
	condition
	attribute int
}

func (g *generation) scope(match, when []string) (s scope) {
	g.patterned = g.patterned || len(match) > 0
	for _, text := range match {
		p, _ := compilePattern(text)
		s.match = append(s.match, p)
	}
	for _, text := range when {
		c, _ := compileCondition(text)
		s.when = append(s.when, clause{c, g.names.index(c.attribute, g.engine.seeds)})
	}
	return s
}

// gate returns the first look at what the scope is for: the methods of all its patterns, and the
// end that they have in common, or else the beginning of the path.
func (s *scope) gate() gate {
	if len(s.match) == 0 {
		return gate{end: -1}
	}
	g := s.match[0].gate
	for _, p := range s.match[1:] {
		g.methods |= p.methods
		if p.end != g.end {
			g.end = 0
		}
	}
	return g
}

// includes reports whether the scope is for a request. It looks at conditions first, which cost
// less than patterns.
func (s *scope) includes(t *target, values []attribute) bool {
	for i := range s.when {
		if c := &s.when[i]; !c.holds(values[c.attribute].value) {
			return false
		}
	}
	for i := range s.match {
		if s.match[i].match(t) {
			return true
		}
	}
	return len(s.match) == 0
}
