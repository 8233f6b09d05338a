// Package frame keeps a limiter's state in one word, and can replace its frame: the scale that
// gives the word its meaning. It takes no lock, and adds nothing to the cost of calls that only
// change the word.
package frame

import "github.com/seed-3506548a/ratelimit/internal/atomics"

// Frozen marks the word of a frame that is being replaced. The state is in the other 63 bits. A
// frozen word of a bucket reads like a debt beyond every limit, so the path that grants does not
// have to test for it.
const Frozen = 1 << 63

// Frame is a word and what it means.
//
// While the word is not frozen, it is the limiter's state, and any caller moves it by CAS. (Some
// scales refer to more state; they say how to read it.) A value may come back if equal words are
// equal states; otherwise the limiter must let none come back. A frozen word never changes.
type Frame[Scale any] struct {
	Word  atomics.Uint64
	Scale Scale                        // immutable
	next  atomics.Pointer[Plan[Scale]] // nil, a claim, or the plan that is agreed on
}

// New returns a frame that no other caller has seen yet.
func New[Scale any](scale Scale, word uint64) *Frame[Scale] {
	f := new(Frame[Scale])
	f.Init(scale, word)
	return f
}

// Init is New for a frame that lies in its limiter, as the first one may: then the two take one
// allocation.
func (f *Frame[Scale]) Init(scale Scale, word uint64) {
	f.Scale = scale
	f.Word.Init(word)
}

// Fetch has the CPU fetch the cache line of a first frame, beside that of its limiter. Otherwise it
// would wait for the limiter's, which has the pointer to the current frame.
func (f *Frame[Scale]) Fetch() { f.Word.Fetch() }

// Claim reports whether the caller may make its change in this frame: nobody else has claimed it or
// plans to replace it. Where all callers that make changes of some kind claim the frame first, no
// such change of another caller lands in it until Release. A claim is a plan without a Successor.
//
// A caller without the claim does not wait for it: it replaces the frame. Then the word of the one
// that has the claim is frozen.
func (f *Frame[Scale]) Claim(claim *Plan[Scale]) bool { return f.next.CompareAndSwap(nil, claim) }

// Release ends a claim. If the frame was replaced meanwhile, it changes nothing.
func (f *Frame[Scale]) Release(claim *Plan[Scale]) { f.next.CompareAndSwap(claim, nil) }

// Plan is a change that needs another frame. Successor makes that frame from the old one and its
// last word. Every caller that helps to replace the frame calls it, and one result is published. So
// all results must be right, as those of a pure function are.
//
// The successor is nil if the last word does not allow the change any longer. All results must
// agree on that. A copy of the frame then takes its place.
type Plan[Scale any] struct {
	Successor func(f *Frame[Scale], word uint64) *Frame[Scale]
}

// Current holds a limiter's current frame.
type Current[Scale any] struct {
	frame atomics.Pointer[Frame[Scale]]
}

// Init sets the first frame, before any other caller sees c.
func (c *Current[Scale]) Init(f *Frame[Scale]) { c.frame.Init(f) }

// Load returns the current frame.
func (c *Current[Scale]) Load() *Frame[Scale] { return c.frame.Load() }

// Replace replaces f as p plans, or as another caller planned before, and reports whether the
// change of p was made. When it returns, f is no longer the current frame.
//
// The plan is agreed on before the word is frozen. So a caller that finds a frozen word can finish
// the work alone: freezing again changes nothing, and one of the successors that callers build is
// published. A replacement completes the call that planned it, so this is lock-free. (To freeze
// first and to thaw with a clone is not: two callers could undo each other's work forever.)
func (c *Current[Scale]) Replace(f *Frame[Scale], p *Plan[Scale]) bool {
	agreed := f.agree(p)
	word := f.Word.Or(Frozen) &^ Frozen
	successor := agreed.Successor(f, word)
	changed := successor != nil
	if !changed {
		successor = New(f.Scale, word)
	}
	c.frame.CompareAndSwap(f, successor)
	return changed && agreed == p
}

// agree returns the plan that all callers follow: p, or an earlier one. It takes the place of a
// claim.
func (f *Frame[Scale]) agree(p *Plan[Scale]) *Plan[Scale] {
	for {
		agreed := f.next.Load()
		if agreed != nil && agreed.Successor != nil {
			return agreed
		}
		if f.next.CompareAndSwap(agreed, p) {
			return p
		}
	}
}

// Change makes the change that plan returns for the current frame. If another caller's plan comes
// first, or the change is no longer possible, it asks for a plan for the next frame. An error ends
// it, and so does a nil plan, which means that there is nothing to change.
func (c *Current[Scale]) Change(plan func(f *Frame[Scale]) (*Plan[Scale], error)) error {
	for {
		f := c.Load()
		p, err := plan(f)
		if err != nil || p == nil || c.Replace(f, p) {
			return err
		}
	}
}

// Help finishes the replacement of f, whose word is frozen.
func (c *Current[Scale]) Help(f *Frame[Scale]) { c.Replace(f, nil) }

// BackOff takes about half a microsecond. Callers call it after a lost race: if they tried again at
// once, the cache line would move between them for each grant. So the winner keeps it for a few
// more grants. No caller waits for another.
func BackOff() {
	for range 2000 {
		continue
	}
}
