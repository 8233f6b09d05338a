package table

import (
	"time"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/internal/timeline"
)

// gcra returns a table of a rate and a burst that are in range.
func gcra(rate ratelimit.Rate, burst, capacity int, opts ...ratelimit.Option) *Table {
	t := new(Table)
	if err := t.InitGCRA("table", rate, burst, capacity, ratelimit.Must(timeline.New("table", opts))); err != nil {
		panic(err)
	}
	return t
}

// aligned returns a table of windows, of a rate that is in range.
func aligned(rate ratelimit.Rate, capacity int, opts ...ratelimit.Option) *Table {
	t := new(Table)
	if err := t.InitAligned("table", rate, time.Unix(0, 0), capacity, ratelimit.Must(timeline.New("table", opts))); err != nil {
		panic(err)
	}
	return t
}
