package keyed

// Stats is what a [Table] has counted since it was made.
//
// Three fields are about new keys whose set has only live keys: see Capacity in the package
// documentation. Inherited counts their grants and charges. Saturated counts their refusals, which
// have the constant [Inherited] in Decision.By. Untracked counts what [FailOpen] granted instead.
type Stats struct {
	Slots int // words of the table: twice the capacity, rounded up to a multiple of 8
	Live  int // keys that are not idle; an estimate in tables of more than 8192 words

	Inherited uint64 // grants and charges to a new key that took the word of a live key
	Saturated uint64 // requests refused only because of what that key owed
	Untracked uint64 // requests granted in spite of that, by the option FailOpen
	Late      uint64 // requests refused because their time was too old: see the constant Late
	Ahead     uint64 // requests refused because their time was too far in the future: see Ahead
	Retries   uint64 // times that a caller lost a race and looked again
}

// MapStats is what a [Map] has counted since it was made. The factory is the function given to
// [NewMap].
type MapStats struct {
	Len int // keys, as Map.Len returns it

	Evicted uint64 // keys evicted to make room for others, even if the factory then failed
	Refused uint64 // requests of new keys refused because there was no room: see Full
	Late    uint64 // requests refused because their time was too old: see the constant Late
	Failed  uint64 // times that the factory made no limiter: see NoLimiter
	Err     error  // why it did not, the last time
}
