package fieldbugs_test

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit/httplimit"
)

// Supabase, supabase/supabase-js#2634: a Retry-After that is a date is no wait.
func TestSupabaseADateIsNoWait(t *testing.T) {
	waited(t, &service{answers: []answer{refused(503, "Retry-After: "+start.Add(2*time.Minute).Format(http.TimeFormat))}}, 0, 2*time.Minute)
}

// Supabase, supabase/supabase-js#2634: with a Retry-After that cannot be read there is no wait at
// all, although without one there is.
func TestSupabaseWhatCannotBeReadIsNoWait(t *testing.T) {
	inTime(t, func(t *testing.T) {
		s := &service{repeats: true, answers: []answer{refused(429, "Retry-After: soon")}}
		status, _ := send(t, &httplimit.Transport{Base: s, Tries: 20})
		require.Equal(t, http.StatusTooManyRequests, status)
		require.Greater(t, s.at[19], 20*time.Second, "a random part of 1 s, 2 s, 4 s, ..., 60 s")
	})
}

// Restlet, restlet/restlet-framework-java#1356: a Retry-After with a decimal point is ignored.
func TestRestletADecimalPointIsIgnored(t *testing.T) {
	waited(t, &service{answers: []answer{refused(429, "Retry-After: 17.5")}}, 0, 17500*ms)
}

// go-retryablehttp, hashicorp/go-retryablehttp#297: a long Retry-After overflows, and there is no
// wait.
//
// More than 9223372036 s became negative.
func TestGoRetryableHTTPALongWaitOverflows(t *testing.T) {
	for _, seconds := range []string{"9223372037", "9223372036854775807", "18446744073709551617", "99999999999999999999999"} {
		inTime(t, func(t *testing.T) {
			s := &service{repeats: true, answers: []answer{refused(429, "Retry-After: "+seconds)}}
			send(t, &httplimit.Transport{Base: s, Tries: 20})
			if len(s.at) > 1 { // it is not believed
				require.Len(t, s.at, 20)
				require.Greater(t, s.at[19], 20*time.Second)
			}
		})
	}
}

// go-retryablehttp, hashicorp/go-retryablehttp#292: a wait that ends after the context's deadline
// is waited for, until the deadline.
func TestGoRetryableHTTPItWaitsForItsDeadline(t *testing.T) {
	inTime(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		s := &service{repeats: true, answers: []answer{refused(429, "Retry-After: 60")}}
		status, _ := sent(t, &httplimit.Transport{Base: s}, post(ctx, t, nil))
		require.Equal(t, http.StatusTooManyRequests, status)
		require.Zero(t, time.Since(start))
	})
}

// retryablehttp-go, projectdiscovery/retryablehttp-go#554: when the time is over, the tries that
// are left follow one another without a wait.
func TestRetryableHTTPGoTheOtherTriesFollowAtOnce(t *testing.T) {
	inTime(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(10*time.Second, cancel)
		s := &service{repeats: true, answers: []answer{refused(429, "Retry-After: 60")}}
		_, err := (&httplimit.Transport{Base: s, Tries: 10}).RoundTrip(post(ctx, t, nil))
		require.ErrorIs(t, err, context.Canceled)
		require.Equal(t, 10*time.Second, time.Since(start), "at once")
		require.Len(t, s.at, 1)
		require.Zero(t, s.open)
	})
}

// onos-lib-go, onosproject/onos-lib-go#127: after 40 refusals the wait overflows, and there is none
// any more.
func TestOnosTheBackoffOverflows(t *testing.T) {
	inTime(t, func(t *testing.T) {
		s := &service{repeats: true, answers: []answer{refused(429)}}
		send(t, &httplimit.Transport{Base: s, Tries: 100})
		require.Len(t, s.at, 100)
		for i := range 99 {
			require.LessOrEqual(t, s.at[i+1]-s.at[i], time.Minute, "no wait is longer than the longest")
		}
		require.Greater(t, s.at[99]-s.at[60], 2*time.Minute, "39 waits of a random part of a minute")
	})
}

// requests, psf/requests#6809: a server that always answers 503 is asked for ever.
func TestRequestsItAsksForEver(t *testing.T) {
	inTime(t, func(t *testing.T) {
		s := &service{repeats: true, answers: []answer{refused(503, "Retry-After: 3")}}
		status, _ := send(t, &httplimit.Transport{Base: s})
		require.Equal(t, http.StatusServiceUnavailable, status)
		require.Equal(t, []time.Duration{0, 3 * time.Second, 6 * time.Second}, s.at)
	})
}

// urllib3, urllib3/urllib3#3401: an option is lost after the first try.
func TestURLLib3AnOptionIsLostAfterATry(t *testing.T) {
	inTime(t, func(t *testing.T) {
		s := &service{answers: []answer{refused(429, "Retry-After: 5"), refused(429, "Retry-After: 5"), refused(429, "Retry-After: 11")}}
		status, _ := send(t, &httplimit.Transport{Base: s, Tries: 10, Patience: 10 * time.Second})
		require.Equal(t, http.StatusTooManyRequests, status)
		require.Equal(t, []time.Duration{0, 5 * time.Second, 10 * time.Second}, s.at)
		require.Equal(t, 10*time.Second, time.Since(start))
	})
}

// urllib3, urllib3/urllib3#5238: a wait longer than the client's longest is cut to that, and the
// request is sent too early.
func TestURLLib3ALongWaitIsCut(t *testing.T) {
	inTime(t, func(t *testing.T) {
		s := &service{answers: []answer{refused(503, "Retry-After: 3600")}}
		transport := &httplimit.Transport{Base: s, Patience: time.Minute}
		status, _ := send(t, transport)
		require.Equal(t, http.StatusServiceUnavailable, status)
		require.Zero(t, time.Since(start))
		time.Sleep(time.Hour)
		status, _ = send(t, transport)
		require.Equal(t, http.StatusOK, status)
	})
}

// plugin-throttling, octokit/plugin-throttling.js#599: a reset in Unix time is compared with the
// client's clock.
//
// If that is wrong, the client is refused again, or waits for hours.
func TestOctokitTheResetIsByTheClientsClock(t *testing.T) {
	for _, ahead := range []time.Duration{time.Hour, -time.Hour} {
		server := start.Add(ahead)
		waited(t, &service{answers: []answer{refused(403, "Date: "+server.Format(http.TimeFormat), "X-RateLimit-Remaining: 0",
			fmt.Sprintf("X-RateLimit-Reset: %d", server.Add(40*time.Second).Unix()))}}, 0, 40*time.Second)
	}
}

// octokit.js, octokit/octokit.js#1849: at the reset the server refuses once more with the same
// reset, and the client gives up.
func TestOctokitTheSameResetOnceMore(t *testing.T) {
	inTime(t, func(t *testing.T) {
		spent := refused(403, "X-RateLimit-Remaining: 0", fmt.Sprintf("X-RateLimit-Reset: %d", start.Add(10*time.Second).Unix()))
		s := &service{answers: []answer{spent, spent}}
		status, _ := send(t, &httplimit.Transport{Base: s})
		require.Equal(t, http.StatusOK, status)
		require.Equal(t, 10*time.Second, s.at[1])
		require.Greater(t, s.at[2], s.at[1], "not at once")
	})
}

// Prow, kubernetes/test-infra#10311: Retry-After of a 403 is not looked at.
func TestProwA403HasNoRetryAfter(t *testing.T) {
	waited(t, &service{answers: []answer{refused(403, "Retry-After: 60", "X-RateLimit-Remaining: 4000")}}, 0, time.Minute)
}

// anitya, fedora-infra/anitya#832: a 403 without a reset is an error of the client.
func TestAnityaA403WithoutAReset(t *testing.T) {
	inTime(t, func(t *testing.T) {
		s := &service{answers: []answer{refused(403, "X-RateLimit-Remaining: 0")}}
		status, _ := send(t, &httplimit.Transport{Base: s})
		require.Equal(t, http.StatusOK, status)
		require.LessOrEqual(t, s.at[1], time.Second)
	})
}

// pypco, planningcenter/developers#606: a negative Retry-After is an error of the client, or no
// wait.
func TestPlanningCenterANegativeWait(t *testing.T) {
	inTime(t, func(t *testing.T) {
		s := &service{repeats: true, answers: []answer{refused(429, "Retry-After: -7")}}
		status, _ := send(t, &httplimit.Transport{Base: s, Tries: 20})
		require.Equal(t, http.StatusTooManyRequests, status)
		require.Greater(t, s.at[19], 20*time.Second)
	})
}

// vip-go-ci, Automattic/vip-go-ci#304: a negative number that remains, for no limit, is an error of
// the client.
func TestVIPGoCIANegativeNumberRemains(t *testing.T) {
	inTime(t, func(t *testing.T) {
		s := &service{repeats: true, answers: []answer{{200, []string{"X-RateLimit-Limit: -1", "X-RateLimit-Remaining: -1", "X-RateLimit-Reset: 3600"}}}}
		transport := &httplimit.Transport{Base: s}
		for range 100 {
			status, _ := send(t, transport)
			require.Equal(t, http.StatusOK, status)
		}
		require.Less(t, time.Since(start), time.Second)
	})
}

// DiscordGo, bwmarrin/discordgo#228: a wait in milliseconds is taken for nanoseconds.
func TestDiscordGoMillisecondsAreNanoseconds(t *testing.T) {
	waited(t, &service{answers: []answer{refused(429, "Retry-After-Ms: 1500")}}, 0, 1500*ms)
}

// Sentry, getsentry/sentry-javascript#862: a wait in seconds is taken for milliseconds.
func TestSentrySecondsAreMilliseconds(t *testing.T) {
	waited(t, &service{answers: []answer{refused(429, "Retry-After: 60")}}, 0, time.Minute)
}

// disgord, andersfylling/disgord#356: how long until the reset is taken for the time of the reset,
// which is long past.
func TestDisgordADelayIsTakenForATime(t *testing.T) {
	inTime(t, func(t *testing.T) {
		s := &service{answers: []answer{{200, []string{"X-RateLimit-Limit: 5", "X-RateLimit-Remaining: 0", "X-RateLimit-Reset-After: 1.25"}}}}
		transport := &httplimit.Transport{Base: s}
		send(t, transport)
		send(t, transport)
		require.Equal(t, []time.Duration{0, 1250 * ms}, s.at)
	})
}

// DiscordGo, bwmarrin/discordgo#148: requests that were refused come back all at once after the
// wait, and are refused again.
func TestDiscordGoAllComeBackAtOnce(t *testing.T) {
	inTime(t, func(t *testing.T) {
		s := &service{repeats: true, answers: []answer{refused(429, "Retry-After: 30")}}
		time.AfterFunc(100*time.Second, func() {
			s.mutex.Lock()
			defer s.mutex.Unlock()
			s.repeats = false
		})
		transport := &httplimit.Transport{Base: s, Tries: 10}
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() { send(t, transport) })
		}
		all.Wait()
		sent := map[time.Duration]int{}
		for _, at := range s.at {
			sent[at]++
		}
		require.Equal(t, map[time.Duration]int{0: 1, 30 * time.Second: 1, 60 * time.Second: 1, 90 * time.Second: 1, 120 * time.Second: 20}, sent)
	})
}
