package fieldbugs_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit/httplimit"
)

// OpenAI SDK for Go, openai/openai-go#495: the body of a response is not closed when the request is
// sent again, so each time a connection is lost.
func TestOpenAIABodyIsNotClosed(t *testing.T) {
	inTime(t, func(t *testing.T) {
		s := &service{answers: []answer{refused(429, "Retry-After: 1"), refused(503, "Retry-After: 1")}}
		status, _ := send(t, &httplimit.Transport{Base: s})
		require.Equal(t, http.StatusOK, status)
		require.Len(t, s.at, 3)
		require.Zero(t, s.open)
	})
}

// Cosmo, wundergraph/cosmo#1713: the body of a response is closed and not read, so its connection
// is not used again.
func TestCosmoABodyIsNotRead(t *testing.T) {
	inTime(t, func(t *testing.T) {
		s := &service{answers: []answer{refused(429, "Retry-After: 1"), refused(429, "Retry-After: 1")}}
		status, _ := send(t, &httplimit.Transport{Base: s})
		require.Equal(t, http.StatusOK, status)
		require.Zero(t, s.unread)
	})
}

// go-service, alexfalkowski/go-service#2521: the body is closed only after the next try, which
// waits for ever if there is one connection.
func TestGoServiceTheNextTryWaitsForTheBody(t *testing.T) {
	inTime(t, func(t *testing.T) {
		s := &service{busy: true, answers: []answer{refused(429, "Retry-After: 1"), refused(429, "Retry-After: 1")}}
		status, _ := send(t, &httplimit.Transport{Base: s})
		require.Equal(t, http.StatusOK, status)
	})
}

// Solace MCP, SolaceProducts/solace-broker-mcp#90: when no try is left, nobody closes the body of
// the last response.
func TestSolaceTheLastBodyStaysOpen(t *testing.T) {
	inTime(t, func(t *testing.T) {
		s := &service{repeats: true, answers: []answer{refused(429, "Retry-After: 1")}}
		status, body := send(t, &httplimit.Transport{Base: s})
		require.Equal(t, http.StatusTooManyRequests, status)
		require.Equal(t, "the body", body, "it is the caller's to read and to close")
		require.Len(t, s.at, 3)
		require.Zero(t, s.open)
	})
}

// go-mastodon, mattn/go-mastodon#219: the second try has an empty body.
func TestGoMastodonTheSecondTryHasNoBody(t *testing.T) {
	inTime(t, func(t *testing.T) {
		s := &service{answers: []answer{refused(429, "Retry-After: 1"), refused(429)}}
		status, _ := sent(t, &httplimit.Transport{Base: s}, post(t.Context(), t, strings.NewReader("status=hello")))
		require.Equal(t, http.StatusOK, status)
		require.Equal(t, []string{"status=hello", "status=hello", "status=hello"}, s.bodies)
	})
}

// axios-retry, softonic/axios-retry#288: a POST that is refused by 429 is not sent again, although
// nothing has happened.
func TestAxiosRetryARefusedPOSTIsNotSentAgain(t *testing.T) {
	inTime(t, func(t *testing.T) {
		s := &service{answers: []answer{refused(429, "Retry-After: 1")}}
		status, _ := sent(t, &httplimit.Transport{Base: s}, post(t.Context(), t, strings.NewReader("x")))
		require.Equal(t, http.StatusOK, status)
	})
}

// axios-retry, softonic/axios-retry#17: a POST is sent again after its connection has failed, and
// may arrive twice.
func TestAxiosRetryAPOSTArrivesTwice(t *testing.T) {
	inTime(t, func(t *testing.T) {
		s := &service{fault: errors.New("connection reset by peer")}
		_, err := (&httplimit.Transport{Base: s}).RoundTrip(post(t.Context(), t, strings.NewReader("x")))
		require.ErrorIs(t, err, s.fault)
		require.Len(t, s.at, 1)
	})
}

// Cloudflare MCP, cloudflare/mcp#196: all waits are slept through for a body that cannot be sent
// again.
func TestCloudflareMCPItWaitsAlthoughTheBodyIsGone(t *testing.T) {
	inTime(t, func(t *testing.T) {
		s := &service{repeats: true, answers: []answer{refused(429, "Retry-After: 60")}}
		status, body := sent(t, &httplimit.Transport{Base: s}, post(t.Context(), t, io.NopCloser(strings.NewReader("once"))))
		require.Equal(t, http.StatusTooManyRequests, status)
		require.Equal(t, "the body", body)
		require.Zero(t, time.Since(start))
	})
}

// asecurityteam/transport, asecurityteam/transport#18: the context of a request that was sent again
// is cancelled when its response is there, so the body cannot be read.
func TestTransportTheContextOfTheResponseIsCancelled(t *testing.T) {
	inTime(t, func(t *testing.T) {
		s := &service{answers: []answer{refused(429, "Retry-After: 1")}}
		resp, err := (&httplimit.Transport{Base: s}).RoundTrip(post(t.Context(), t, strings.NewReader("x")))
		require.NoError(t, err)
		require.NoError(t, s.last.Context().Err())
		require.NoError(t, resp.Body.Close())
		require.NoError(t, s.last.Context().Err())
	})
}

// alpacon, alpacax/alpacon-cli#298: a refusal whose body never ends is read for ever, and the
// request is not sent again.
func TestAlpaconABodyThatNeverEnds(t *testing.T) {
	inTime(t, func(t *testing.T) {
		s := &service{stalls: true, answers: []answer{refused(429, "Retry-After: 10")}}
		status, _ := send(t, &httplimit.Transport{Base: s})
		require.Equal(t, http.StatusOK, status)
		require.Equal(t, []time.Duration{0, 10 * time.Second}, s.at, "Retry-After counts from the response on")
		require.Zero(t, s.open)
	})
}

// go-retryablehttp, hashicorp/go-retryablehttp#215: what is called before the wait cannot read the
// body of the refusal.
func TestGoRetryableHTTPTheBodyIsClosedBeforeTheCall(t *testing.T) {
	inTime(t, func(t *testing.T) {
		var bodies []string
		s := &service{answers: []answer{refused(429, "Retry-After: 1")}}
		status, _ := send(t, &httplimit.Transport{Base: s, On429: func(e *httplimit.RefusedError) { bodies = append(bodies, string(e.Body)) }})
		require.Equal(t, http.StatusOK, status)
		require.Equal(t, []string{"the body"}, bodies)
	})
}
