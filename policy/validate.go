package policy

const (
	letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	digits  = "0123456789"

	wantRate = `a rate in quotes, as in "90/min" or "1000/5m"`
	wantCost = "0 to 2147483647"
)

// Validate returns a [*Faults] with everything that is wrong, or nil.
func (p Policy) Validate() error {
	faults := p.faults()
	return faults.err()
}

func (p Policy) faults() (f Faults) { return f }
