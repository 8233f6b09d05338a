package oracle

import (
	"math/rand/v2"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/dunglas/httpsfv"
	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/httplimit"
	"github.com/seed-3506548a/ratelimit/policy"
)

// random returns a decision with standings of all kinds.
func random(r *rand.Rand) *policy.Decision {
	names := []string{"minute", "hour", "day", `a"b`, `a\b`, "AUTHED_API_GET_LIMIT", "x.y-z", "é"}
	d := &policy.Decision{OK: r.IntN(2) == 0, RetryAfter: time.Duration(r.Int64N(int64(time.Hour))), MoreAfter: time.Duration(r.Int64N(int64(time.Hour)))}
	if !d.OK {
		d.Action = policy.ByLimit
	}
	if r.IntN(8) == 0 {
		d.MoreAfter = ratelimit.Never
	}
	for range 1 + r.IntN(4) {
		limit := r.IntN(1 << 20)
		d.Standings = append(d.Standings, policy.Standing{Rule: "r" + strconv.Itoa(r.IntN(3)), Name: names[r.IntN(len(names))],
			Rate: ratelimit.Per(limit, time.Duration(1+r.Int64N(int64(48*time.Hour)))), Limit: limit, Remaining: r.IntN(limit + 1),
			ResetAfter: time.Duration(r.Int64N(int64(time.Hour))), Hidden: r.IntN(5) == 0})
	}
	d.Binding = r.IntN(len(d.Standings))
	d.Standings[d.Binding].Hidden = false
	return d
}

func up(d time.Duration) int64 { return int64((d + time.Second - 1) / time.Second) }

// What is written is read again as it was meant, by a parser of RFC 9651.
func TestStructuredFields(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 20000 {
		d := random(r)
		shown := []policy.Standing{}
		for _, s := range d.Standings {
			if !s.Hidden {
				shown = append(shown, s)
			}
		}
		for _, draft := range []int{6, 7, 11} {
			h := http.Header{}
			httplimit.IETF(draft).Headers(h, d, time.Now())
			of := func(name string) []string { return h[name] }
			list, err := httpsfv.UnmarshalList(of("RateLimit-Policy"))
			require.NoError(t, err)
			require.Len(t, list, len(shown))
			names := map[any]bool{}
			for i, member := range list {
				item := member.(httpsfv.Item)
				quota, s := item.Value, shown[i]
				if draft == 11 {
					name, ok := item.Value.(string)
					require.True(t, ok)
					names[name] = true
					if !containsOther(s.Name) {
						require.Contains(t, []string{s.Name, s.Rule + "/" + s.Name}, name)
					}
					quota, ok = item.Params.Get("q")
					require.True(t, ok)
				}
				require.EqualValues(t, s.Rate.Events, quota)
				window, there := item.Params.Get("w")
				require.Equal(t, s.Rate.Per >= time.Second, there)
				if there {
					require.EqualValues(t, up(s.Rate.Per), window)
				}
			}
			s := d.Standings[d.Binding]
			reset := s.ResetAfter
			if !d.OK {
				reset = max(reset, d.RetryAfter)
			}
			switch draft {
			case 6:
				for name, want := range map[string]int64{"RateLimit-Limit": int64(s.Limit), "RateLimit-Remaining": int64(s.Remaining), "RateLimit-Reset": up(reset)} {
					item, err := httpsfv.UnmarshalItem(of(name))
					require.NoError(t, err)
					require.Equal(t, want, item.Value)
				}
			case 7:
				all, err := httpsfv.UnmarshalDictionary(of("RateLimit"))
				require.NoError(t, err)
				for name, want := range map[string]int64{"limit": int64(s.Limit), "remaining": int64(s.Remaining), "reset": up(reset)} {
					member, ok := all.Get(name)
					require.True(t, ok)
					require.Equal(t, want, member.(httpsfv.Item).Value)
				}
			default:
				one, err := httpsfv.UnmarshalList(of("RateLimit"))
				require.NoError(t, err)
				require.Len(t, one, 1)
				item := one[0].(httpsfv.Item)
				require.True(t, names[item.Value], "it is one of the policies")
				remaining, _ := item.Params.Get("r")
				require.EqualValues(t, s.Remaining, remaining)
				more, there := item.Params.Get("t")
				require.Equal(t, d.MoreAfter != ratelimit.Never, there)
				if there {
					require.EqualValues(t, up(d.MoreAfter), more)
				}
			}
		}
	}
}

func containsOther(s string) bool {
	for _, c := range []byte(s) {
		if c < ' ' || c > '~' {
			return true
		}
	}
	return false
}
