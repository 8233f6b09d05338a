// Package frame keeps a limiter's state in one word, and replaces what the word is relative to, its
// frame, without a lock and without a cost to those who only move the word.
package frame

import "github.com/seed-3506548a/ratelimit/internal/atomics"

// Frozen marks the word of a frame that is being replaced; the state is in the other 63 bits. A
// bucket's frozen word reads like a debt beyond every limit, so its granting path needs no test of
// its own for it.
const Frozen = 1 << 63

// Frame is a word and what it means.
//
// While the word is not frozen, it is the limiter's state (with what else the scale says how to
// read), and any caller moves it by CAS. That a value may come back does no harm if equal words are
// equal states; where they are not, a limiter must let none come back. A frozen word never changes.
type Frame[Scale any] struct {
	Word  atomics.Uint64
	Scale Scale // immutable
	next  atomics.Pointer[Plan[Scale]]
}

// New returns a frame that nobody else has seen yet.
func New[Scale any](scale Scale, word uint64) *Frame[Scale] {
	f := &Frame[Scale]{Scale: scale}
	f.Word.Init(word)
	return f
}

// Plan is a change that needs another frame: its successor, as a function of the frame and its last
// word. Every caller that replaces the frame calls it, and one result is published; so all results
// must be as good, and so are those of a pure function. The successor is nil if the last word does
// not allow the change any longer; then a copy of the frame takes its place. On that, all results
// must agree.
type Plan[Scale any] struct {
	Successor func(f *Frame[Scale], word uint64) *Frame[Scale]
}

// Current is a limiter's frame at present.
type Current[Scale any] struct {
	frame atomics.Pointer[Frame[Scale]]
}

// Init sets the first frame before anybody else sees c.
func (c *Current[Scale]) Init(f *Frame[Scale]) { c.frame.Init(f) }

// Load returns the frame.
func (c *Current[Scale]) Load() *Frame[Scale] { return c.frame.Load() }

// Replace replaces f as p plans, or as another caller has planned before, and reports whether the
// change that p plans has been made. It returns when f is not the current frame any more.
//
// The plan is agreed on before the word is frozen. So whoever meets the frozen word can finish the
// work alone: freezing again changes nothing, and of the successors that helpers build, one is
// published. And a replacement completes the call that planned it, so it is lock-free. (To freeze
// first and to thaw by a clone is not: two callers can undo each other's work forever.)
func (c *Current[Scale]) Replace(f *Frame[Scale], p *Plan[Scale]) bool {
	f.next.CompareAndSwap(nil, p)
	agreed := f.next.Load()
	word := f.Word.Or(Frozen) &^ Frozen
	successor := agreed.Successor(f, word)
	changed := successor != nil
	if !changed {
		successor = New(f.Scale, word)
	}
	c.frame.CompareAndSwap(f, successor)
	return changed && agreed == p
}

// Change makes the change that plan returns for the current frame. It asks plan again for each
// frame that another caller's plan has replaced, or that could not be changed any longer. An error
// ends it, and so does a nil plan: there is nothing to change.
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

// BackOff takes something like half a microsecond, after a race was lost. Callers who begin again
// at once pass the cache line to and fro for each grant; meanwhile the one who won has it for some
// more. Nobody is waited for.
func BackOff() {
	for range 2000 {
		continue
	}
}
