// Package logline reads lines of logs, and the parts of those in the Common Log Format.
package logline

import (
	"bufio"
	"errors"
	"io"
)

// Longest is the most bytes of a line, with its line break, that are kept.
const Longest = 1 << 20

// Reader reads lines. Of one that is too long it keeps just enough to show that.
type Reader struct {
	Log    *bufio.Reader
	Skip   func(line []byte) []byte // takes off what a line may begin with; nil: nothing
	Number int                      // of the last line, from 1

	long []byte // a line that is longer than the buffer
}

// Next returns the next line, which is valid until the one after that, and whether it is the last.
// If there is an error, the line is not whole.
func (r *Reader) Next() (line []byte, last bool, err error) {
	r.Number++
	r.long = r.long[:0]
	for {
		part, err := r.Log.ReadSlice('\n')
		if len(r.long) == 0 {
			if r.Skip != nil {
				part = r.Skip(part)
			}
			if err == nil {
				return part, false, nil
			}
		}
		if len(r.long) <= Longest {
			r.long = append(r.long, part...)
		}
		switch {
		case err == io.EOF:
			return r.long, true, nil
		case err == nil:
			return r.long, false, nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return nil, true, err
		}
	}
}
