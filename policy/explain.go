package policy

func (p Policy) Explain() string { return p.Name + "x" }
