package httplimit

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestJitterIsUpwardsOnly(t *testing.T) {
	for _, percent := range []int{1, 50, 100} {
		o := options{jitter: percent}
		for _, wait := range []int64{0, 1, 99, 100, 12345, 1 << 40, 1<<62 - 1, 1 << 62, 1<<63 - 2, 1<<63 - 1} {
			for range 100 {
				got := int64(o.jittered(time.Duration(wait)))
				require.GreaterOrEqual(t, got, wait)
				if wait < 1<<56 {
					require.LessOrEqual(t, got, wait+wait*int64(percent)/100)
				}
				require.Equal(t, wait == 1<<63-1, got == 1<<63-1, "only never is never")
			}
		}
	}
}

// A percentage is of 1 to 100.
func TestJitterIsAPercentage(t *testing.T) {
	for percent, ok := range map[int]bool{-1: false, 0: false, 1: true, 100: true, 101: false} {
		_, err := choose("", []Option{Jitter(percent)})
		require.Equal(t, ok, err == nil, percent)
	}
}

// What is added is any part of the percentage, from nothing to all of it.
func TestJitterIsUpToThePercentage(t *testing.T) {
	for _, c := range []struct {
		percent    int
		wait, most time.Duration
	}{
		{0, 0, 0}, {0, 100, 100}, {0, -100, -100}, {100, -100, -100}, {100, 0, 0}, {100, 1, 2}, {50, 2, 3}, {99, 1, 1}, {1, 99, 99}, {1, 100, 101},
		{2, 99, 100}, {2, 100, 102}, {1, 200, 202}, {2, 150, 153}, {34, 3, 4},
	} {
		o := options{jitter: c.percent}
		least, most := o.jittered(c.wait), o.jittered(c.wait)
		for range 300 {
			got := o.jittered(c.wait)
			least, most = min(least, got), max(most, got)
		}
		require.Equal(t, c.wait, least, "%+v", c)
		require.Equal(t, c.most, most, "%+v", c)
	}
}

func FuzzTestHeaders(f *testing.F) {
	for _, s := range []string{"", "0", "5", " 5 ", "-5", "+5", "5.0", "1e3", "0x5", "٥", "99999999999999999999", "5\x00", "5 5"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, value string) {
		n, ok := parseLimit(value)
		if !ok {
			require.Zero(t, n)
		} else {
			require.GreaterOrEqual(t, n, 0)
			digits := strings.TrimLeft(strings.Trim(value, " \t"), "0")
			if digits == "" {
				digits = "0"
			}
			require.Equal(t, fmt.Sprint(n), digits)
			require.Equal(t, n != 0, forces(value))
		}
	})
}

// FuzzString holds that what is written is a String of RFC 9651, whatever a name is.
func FuzzString(f *testing.F) {
	f.Add(`hour`)
	f.Add("a\"b\\c\r\nd\x00é")
	f.Fuzz(func(t *testing.T, s string) {
		text := string(appendString(nil, s))
		require.True(t, len(text) >= 2 && text[0] == '"' && text[len(text)-1] == '"')
		inside := text[1 : len(text)-1]
		for i := 0; i < len(inside); i++ {
			c := inside[i]
			require.True(t, c >= ' ' && c <= '~' && c != '"')
			if c == '\\' {
				i++
				require.Less(t, i, len(inside))
				require.Contains(t, `"\`, inside[i:i+1])
			}
		}
	})
}
