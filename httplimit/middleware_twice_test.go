package httplimit_test

import (
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit/httplimit"
	"github.com/seed-3506548a/ratelimit/policy"
)

// Of two middlewares, each charges its own engine, and the inner one is told.
func TestTwoEngines(t *testing.T) {
	addresses, _ := newEngine(t, `{"rules": [{"name": "addresses", "key": ["ip"], "limits": [{"name": "all", "rate": "3/s", "as": "gcra"}]}]}`)
	users, _ := newEngine(t, `{"rules": [{"name": "users", "key": ["user"], "limits": [{"name": "all", "rate": "1/s", "as": "gcra"}]}]}`)
	var told *policy.Decision
	h := limited(t, addresses, httplimit.GitHub, limited(t, users, httplimit.GitHub, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		told, _ = httplimit.FromContext(r.Context())
	}), httplimit.OnError(never(t))), httplimit.OnError(never(t)))
	require.Equal(t, []string{"users"}, field(do(h, "/", "X-User: 7"), "X-RateLimit-Resource"))
	require.Equal(t, "users", told.Standings[0].Rule)
	require.Equal(t, 403, do(h, "/", "X-User: 7").Code, "by the inner one; the outer one is charged")
	require.Equal(t, 200, do(h, "/", "X-User: 8").Code)
	w := do(h, "/", "X-User: 9")
	require.Equal(t, []string{"addresses"}, field(w, "X-RateLimit-Resource"))
	require.Equal(t, 403, w.Code)
}

// never fails the test when OnError is called.
func never(t testing.TB) func(http.ResponseWriter, *http.Request, error) bool {
	return func(_ http.ResponseWriter, _ *http.Request, err error) bool {
		t.Errorf("OnError: %v", err)
		return true
	}
}

// reports collects what OnError is told.
type reports struct {
	mutex   sync.Mutex
	all     []error
	proceed bool
	answer  int
}

func (o *reports) onError(w http.ResponseWriter, _ *http.Request, err error) bool {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	o.all = append(o.all, err)
	if o.answer != 0 {
		w.WriteHeader(o.answer)
	}
	return o.proceed
}

func TestTheSameEngineTwice(t *testing.T) {
	e, clock := newEngine(t, `{"rules": [{"name": "api", "limits": [{"name": "all", "rate": "1000/s", "as": "gcra"}]}]}`)
	told := reports{proceed: true}
	h := limited(t, e, httplimit.WillItTrack, limited(t, e, httplimit.WillItTrack, fine, httplimit.OnError(told.onError)), httplimit.OnError(told.onError))
	for i := range 5 {
		require.Equal(t, []string{itoa(998 - 2*i)}, field(do(h, "/"), "X-RateLimit-Remaining"), "charged twice")
	}
	require.Equal(t, []error{httplimit.ErrTwice}, told.all, "once")

	// Not to proceed answers the request, the first time.
	told = reports{}
	clock.Set(t0.Add(time.Hour))
	h = limited(t, e, httplimit.WillItTrack, limited(t, e, httplimit.WillItTrack, fine, httplimit.OnError(told.onError)))
	w := do(h, "/")
	require.Equal(t, 503, w.Code)
	require.Equal(t, "Service Unavailable\n", w.Body.String(), "and nothing else")
	require.Equal(t, 200, do(h, "/").Code)

	// Without OnError nobody is told, and between them may be what it will.
	between := limited(t, e, httplimit.WillItTrack, fine)
	h = limited(t, e, httplimit.WillItTrack, http.TimeoutHandler(http.StripPrefix("/a", between), time.Hour, ""))
	require.Equal(t, 200, do(h, "/a/b").Code)
}

// A policy may be replaced by one that names what nobody provides. Then each request is an error.
func TestReplacedByAPolicyOfOtherAttributes(t *testing.T) {
	const want = `httplimit.Middleware: who["tenant"] is nil, want an attribute, as the policy names it`
	for _, c := range []struct {
		told *reports
		code int
	}{
		{nil, 503}, // fail closed
		{&reports{}, 503},
		{&reports{answer: 500}, 500},
		{&reports{answer: 500, proceed: true}, 500}, // one response
		{&reports{proceed: true}, 403},              // decided without a tenant: it is missing
	} {
		e, _ := newEngine(t, onePerSecond("", `"key": ["user"],`))
		var opts []httplimit.Option
		if c.told != nil {
			opts = append(opts, httplimit.OnError(c.told.onError))
		}
		served := 0
		h := limited(t, e, httplimit.IETF(11), http.HandlerFunc(func(http.ResponseWriter, *http.Request) { served++ }), opts...)
		require.Equal(t, 200, do(h, "/", "X-User: 7").Code)
		p := e.Policy()
		p.Rules[0].Key = []string{"tenant"}
		require.NoError(t, e.Replace(p))
		for range 3 {
			w := do(h, "/", "X-User: 7")
			require.Equal(t, c.code, w.Code)
			if c.code == 503 {
				require.Equal(t, "Service Unavailable\n", w.Body.String(), "and nothing else")
			}
		}
		require.Equal(t, 1, served)
		if c.told != nil {
			require.Len(t, c.told.all, 3)
			require.EqualError(t, c.told.all[0], want)
		}
		p.Rules[0].Key = []string{"client"}
		require.NoError(t, e.Replace(p))
		require.Equal(t, 200, do(h, "/", "X-Client: app").Code, "and that is over with the policy")
	}
}

// To proceed without an attribute is to have it decided by the others that the policy names.
func TestReplacedByAPolicyOfMoreAttributes(t *testing.T) {
	e, _ := newEngine(t, onePerSecond("", `"key": ["user"],`))
	h := limited(t, e, httplimit.IETF(11), fine, httplimit.OnError((&reports{proceed: true}).onError))
	for name, key := range map[string]string{"first": "tenant|user", "second": "user|tenant"} {
		p := e.Policy()
		p.Rules[0].Key, p.Rules[0].Limits[0].Name = []string{key}, name
		require.NoError(t, e.Replace(p))
		require.Equal(t, 200, do(h, "/", "X-User: 7").Code, key)
		require.Equal(t, 429, do(h, "/", "X-User: 7").Code, key)
		require.Equal(t, 200, do(h, "/", "X-User: 8").Code, key)
	}
}

// A Replace while requests are decided loses none of them: here between the plan and the decision.
func TestReplacedMeanwhile(t *testing.T) {
	e, _ := newEngine(t, onePerSecond("", `"key": ["user"],`))
	next := e.Policy()
	next.Rules[0].Key = []string{"plan"}
	next.Rules[0].Limits[0].Name = "failures"
	next.Rules[0].Limits[0].Count = []string{"4xx"}
	replaced := false
	limit, err := httplimit.Middleware(e, httplimit.Attributes{
		"user": func(*http.Request) (string, bool) {
			if !replaced {
				replaced = true
				if err := e.Replace(next); err != nil {
					t.Error(err)
				}
			}
			return "7", true
		},
		"plan": func(*http.Request) (string, bool) { return "free", true },
	}, httplimit.IETF(11))
	require.NoError(t, err)
	replaced = false // what the probe has done
	require.NoError(t, e.Replace(mustParse(t, onePerSecond("", `"key": ["user"],`))))
	h := limit(http.NotFoundHandler())
	require.Equal(t, 404, do(h, "/").Code, "it has a plan, as the new policy wants")
	require.True(t, replaced)
	require.Equal(t, 429, do(h, "/").Code, "and its 404 was counted")
}

// A policy that comes while attributes are read is not asked with those of the one before: neither
// is a request free that has what the new one asks for, nor is an attribute that nobody provides
// taken for one that is missing.
func TestReplacedWhileAttributesAreRead(t *testing.T) {
	told := &reports{}
	for rule, want := range map[string][]int{
		onePerSecond("", `"when": ["plan"], "key": ["plan"],`):    {200, 429},
		onePerSecond("", `"key": ["tenant"], "missing": "skip",`): {503, 503},
	} {
		e, _ := newEngine(t, onePerSecond("", `"key": ["user"],`))
		var next *policy.Policy
		limit, err := httplimit.Middleware(e, httplimit.Attributes{
			"user": func(*http.Request) (string, bool) {
				if next != nil {
					p := *next
					next = nil
					if err := e.Replace(p); err != nil {
						t.Error(err)
					}
				}
				return "7", true
			},
			"plan": func(*http.Request) (string, bool) { return "free", true },
		}, httplimit.IETF(11), httplimit.OnError(told.onError))
		require.NoError(t, err)
		p := mustParse(t, rule)
		next = &p
		h := limit(fine)
		require.Equal(t, want, []int{do(h, "/").Code, do(h, "/").Code}, rule)
	}
	require.Len(t, told.all, 2)
}

// If the new policy asks for the same attributes, they are not read again.
func TestReplacedByOneThatAsksForTheSame(t *testing.T) {
	e, _ := newEngine(t, onePerSecond("", `"key": ["user"],`))
	served, reads := false, 0
	limit, err := httplimit.Middleware(e, httplimit.Attributes{"user": func(*http.Request) (string, bool) {
		if reads++; served && reads == 1 {
			if err := e.Replace(mustParse(t, onePerSecond(`, "burst": 2`, `"key": ["user"],`))); err != nil {
				t.Error(err)
			}
		}
		return "7", true
	}}, httplimit.IETF(11))
	require.NoError(t, err)
	served, reads = true, 0
	require.Equal(t, 200, do(limit(fine), "/").Code)
	require.Equal(t, 1, reads)
}

// A request that misses an attribute is not refused for it if the policy that asks for it goes
// meanwhile.
func TestReplacedWhileAnAttributeIsMissing(t *testing.T) {
	var e *policy.Engine
	next := mustParse(t, onePerSecond("", `"key": ["plan"],`))
	e, err := policy.New(mustParse(t, onePerSecond("", `"key": ["user"],`)), 10, policy.Observe(func(_ *policy.Request, d *policy.Decision) {
		if d.Action == policy.ByMissing {
			if err := e.Replace(next); err != nil {
				t.Error(err)
			}
		}
	}))
	require.NoError(t, err)
	limit, err := httplimit.Middleware(e, httplimit.Attributes{
		"user": func(*http.Request) (string, bool) { return "", false },
		"plan": func(*http.Request) (string, bool) { return "free", true },
	}, httplimit.IETF(11))
	require.NoError(t, err)
	require.Equal(t, 200, do(limit(fine), "/").Code)
}
