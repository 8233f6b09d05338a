package redislimit_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit/redislimit"
)

// informed is an engine whose servers say what they are told to.
type informed struct {
	engine
	texts []string
	err   error
}

func (i informed) Info(context.Context) ([]string, error) { return i.texts, i.err }

// Check warns of each server that may evict a key, and of each that forgets all in a crash.
func TestCheckOfSettings(t *testing.T) {
	text := func(memory, policy, file string) string {
		return fmt.Sprintf("# Memory\r\nused_memory:1\r\nmaxmemory:%s\r\nmaxmemory_human:x\r\nmaxmemory_policy:%s\r\n\r\n# Persistence\r\naof_enabled:%s\r\n", memory, policy, file)
	}
	good := text("0", "noeviction", "1")
	for name, row := range map[string]struct {
		texts []string
		want  error
	}{
		"keeps all":                   {[]string{good}, nil},
		"refuses when it is full":     {[]string{text("1000", "noeviction", "1")}, nil},
		"is never full":               {[]string{text("0", "allkeys-lru", "1")}, nil},
		"evicts":                      {[]string{text("1000", "allkeys-lru", "1")}, errors.Join(redislimit.ErrEvicts)},
		"has no file":                 {[]string{text("0", "noeviction", "0")}, errors.Join(redislimit.ErrForgets)},
		"says nothing":                {[]string{""}, errors.Join(redislimit.ErrEvicts, redislimit.ErrForgets)},
		"the first of three has none": {[]string{text("0", "noeviction", "0"), good, good}, errors.Join(redislimit.ErrForgets)},
		"two of three are bad":        {[]string{good, text("1", "volatile-ttl", "1"), text("1", "noeviction", "0")}, errors.Join(redislimit.ErrEvicts, redislimit.ErrForgets)},
	} {
		t.Run(name, func(t *testing.T) {
			limit := hundred(t, informed{told(t0.UnixMicro(), 0, 0), row.texts, nil})
			require.Equal(t, row.want, limit.Check(t.Context()))
		})
	}
}

// Check returns an error if the engine does not decide, or does not say what its settings are, also
// if a refusal is remembered that would do as an answer.
func TestCheckOfAnEngineThatIsGone(t *testing.T) {
	gone := errors.New("gone")
	limit := hundred(t, informed{engine: told(t0.UnixMicro(), 0, 0), err: gone})
	err := limit.Check(t.Context())
	require.ErrorIs(t, err, gone)
	require.EqualError(t, err, "redislimit: test:{}: not known, so refused: gone")
	require.Equal(t, err, limit.Err(""))

	reply, fault := []int64{t0.UnixMicro(), 200 * 86_400_000_000, 0}, error(nil)
	limit = hundred(t, informed{engine{run: func(context.Context) ([]int64, error) { return reply, fault }}, nil, nil})
	d, err := limit.Take(t.Context(), "", 1)
	require.NoError(t, err)
	require.False(t, d.OK)
	require.NoError(t, limit.Check(t.Context()))
	fault = gone
	require.ErrorIs(t, limit.Check(t.Context()), gone)
}
