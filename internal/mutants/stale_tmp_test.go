package mutants

import ("testing"; "fmt"; "slices")

func TestStale(t *testing.T) {
	_, all := operators(t, *list)
	for key := range accepted(t) {
		if !slices.ContainsFunc(all, func(m *mutant) bool { return m.key() == key }) {
			fmt.Println("STALE<<" + key + ">>")
		}
	}
}
