package ratelimit_test

import (
	"context"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/burst"
	"github.com/seed-3506548a/ratelimit/fixedwindow"
	"github.com/seed-3506548a/ratelimit/gcra"
	"github.com/seed-3506548a/ratelimit/httplimit"
	"github.com/seed-3506548a/ratelimit/keyed"
	"github.com/seed-3506548a/ratelimit/limittest"
	"github.com/seed-3506548a/ratelimit/penalty"
	"github.com/seed-3506548a/ratelimit/policy"
	"github.com/seed-3506548a/ratelimit/simulate"
	"github.com/seed-3506548a/ratelimit/slidingwindow"
	"github.com/seed-3506548a/ratelimit/tokenbucket"
)

// The errors of all functions that are called with what they refuse begin with the package and the
// function, and with the type if it is a method.
func TestArgumentErrorsNameTheFunction(t *testing.T) {
	bad, good := ratelimit.PerSecond(-1), ratelimit.PerSecond(10)
	bucket := ratelimit.Must(gcra.New(good, 10))
	striped := ratelimit.Must(gcra.NewStriped(good, 10))
	capped := ratelimit.Must(burst.New(bucket, good))
	window := ratelimit.Must(fixedwindow.NewAnchored(good))
	counter := ratelimit.Must(slidingwindow.NewCounter(good, 10))
	log := ratelimit.Must(slidingwindow.NewLog(good))
	tokens := ratelimit.Must(tokenbucket.New(good, 10))
	batches := ratelimit.Must(tokenbucket.NewInterval(good, 10))
	table := ratelimit.Must(keyed.NewGCRA[int](good, 10, 10))
	second := func(_ any, err error) error { return err }
	rows := map[string]error{
		"ratelimit.All":                 second(ratelimit.All()),
		"ratelimit.NewCoarseClock":      second(ratelimit.NewCoarseClock(0)),
		"ratelimit.NewQueue":            second(ratelimit.NewQueue(nil, 1)),
		"ratelimit.ParseRate":           second(ratelimit.ParseRate("")),
		"ratelimit.Rate.Validate":       bad.Validate(),
		"ratelimit.Wait":                ratelimit.Wait(context.Background(), nil, 1),
		"burst.New":                     second(burst.New(bucket, bad)),
		"burst.Limiter.SetPeak":         capped.SetPeak(bad),
		"burst.Limiter.SetPeakAt":       capped.SetPeakAt(t0, bad),
		"fixedwindow.NewAligned":        second(fixedwindow.NewAligned(bad)),
		"fixedwindow.NewAlignedTo":      second(fixedwindow.NewAlignedTo(bad, t0)),
		"fixedwindow.NewAnchored":       second(fixedwindow.NewAnchored(bad)),
		"fixedwindow.Limiter.SetRate":   window.SetRate(bad),
		"fixedwindow.Limiter.SetRateAt": window.SetRateAt(t0, bad),
		"gcra.New":                      second(gcra.New(bad, 1)),
		"gcra.NewStriped":               second(gcra.NewStriped(bad, 1)),
		"gcra.Striped.SetRate":          striped.SetRate(bad, 1),
		"gcra.Striped.SetRateAt":        striped.SetRateAt(t0, bad, 1),
		"httplimit.Middleware":          second(httplimit.Middleware(nil, nil, nil)),
		"httplimit.PerKey":              second(httplimit.PerKey(table, nil, nil)),
		"gcra.Limiter.SetRate":          bucket.SetRate(bad, 1),
		"gcra.Limiter.SetRateAt":        bucket.SetRateAt(t0, bad, 1),
		"keyed.NewAlignedWindow":        second(keyed.NewAlignedWindow[int](bad, 1)),
		"keyed.NewAlignedWindowTo":      second(keyed.NewAlignedWindowTo[int](bad, t0, 1)),
		"keyed.NewGCRA":                 second(keyed.NewGCRA[int](bad, 1, 1)),
		"keyed.NewGroup":                second(keyed.NewGroup[int]()),
		"keyed.NewMap":                  second(keyed.NewMap[int](0, nil)),
		"keyed.Table.Limit":             second(table.Limit(bad, 1)),
		"limittest.TestBound":           limittest.TestBound(nil, 0, nil),
		"penalty.New":                   second(penalty.New(nil, 0)),
		"simulate.Crowded":              second(simulate.Crowded(nil, 0, 0, 0, simulate.Request{})),
		"simulate.NewLimit":             second(simulate.NewLimit(policy.Limit{As: policy.Log, Rate: good, Of: "tokens"})),
		"simulate.NewStore":             second(simulate.NewStore(nil)),
		"simulate.ParseClient":          second(simulate.ParseClient("")),
		"simulate.Run":                  second(simulate.Run(nil, simulate.Options{})),
		"simulate.Constant":             second(simulate.Constant(t0, bad)),
		"simulate.FlashCrowd":           second(simulate.FlashCrowd(t0, simulate.Crowd{Usual: bad}, 0)),
		"simulate.OnOff":                second(simulate.OnOff(t0, bad, 1, 1, 0)),
		"simulate.Poisson":              second(simulate.Poisson(t0, bad, 0)),
		"slidingwindow.NewCounter":      second(slidingwindow.NewCounter(bad, 1)),
		"slidingwindow.Counter.SetRate": counter.SetRate(bad), "slidingwindow.Counter.SetRateAt": counter.SetRateAt(t0, bad),
		"slidingwindow.NewLog":      second(slidingwindow.NewLog(bad)),
		"slidingwindow.Log.SetRate": log.SetRate(bad), "slidingwindow.Log.SetRateAt": log.SetRateAt(t0, bad),
		"tokenbucket.New":                second(tokenbucket.New(bad, 1)),
		"tokenbucket.NewInterval":        second(tokenbucket.NewInterval(bad, 1)),
		"tokenbucket.Interval.SetRate":   batches.SetRate(bad, 1),
		"tokenbucket.Interval.SetRateAt": batches.SetRateAt(t0, bad, 1),
		"tokenbucket.Limiter.SetRate":    tokens.SetRate(bad, 1),
		"tokenbucket.Limiter.SetRateAt":  tokens.SetRateAt(t0, bad, 1),
	}
	for fn, err := range rows {
		var argument *ratelimit.ArgumentError
		require.ErrorAs(t, err, &argument, fn)
		require.Equal(t, fn, argument.Func)
	}
	require.ErrorContains(t, capped.SetPeak(ratelimit.PerMinute(1)), "burst.Limiter.SetPeak: peak.Per is 1m0s")

	others := []string{ // that return errors of those above, of their callers, or no ArgumentErrors
		"burst.Limiter.Err", "httplimit.RefusedError.Unwrap", "httplimit.StoreError.Unwrap", "httplimit.Transport.RoundTrip",
		"keyed.Group.Err", "keyed.Map.Err", "ratelimit.Queue.Wait",
		"limittest.TestAllocations", "limittest.TestLimiter",
		"ratelimit.Rate.MarshalText", "ratelimit.Rate.UnmarshalText",
		"simulate.NewPolicy", "simulate.Seconds.MarshalJSON", "simulate.Seconds.UnmarshalJSON",
	}
	require.ElementsMatch(t, returningErrors(t), append(slices.Collect(maps.Keys(rows)), others...))
}

// returningErrors returns the exported functions and methods of this module that return an error.
func returningErrors(t *testing.T) (names []string) {
	for _, pattern := range []string{"*.go", "*/*.go"} {
		files, err := filepath.Glob(pattern)
		require.NoError(t, err)
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") || strings.HasPrefix(file, "policy/") || strings.HasPrefix(file, "redislimit/") {
				continue // errors of a policy are Faults, and redislimit is a module of its own
			}
			parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
			require.NoError(t, err)
			for _, decl := range parsed.Decls {
				f, ok := decl.(*ast.FuncDecl)
				if !ok || !f.Name.IsExported() || f.Type.Results == nil {
					continue
				}
				last := f.Type.Results.List[len(f.Type.Results.List)-1].Type
				if name, ok := last.(*ast.Ident); !ok || name.Name != "error" {
					continue
				}
				name := f.Name.Name
				if f.Recv != nil {
					receiver := receiverName(f.Recv.List[0].Type)
					if !ast.IsExported(receiver) {
						continue
					}
					name = receiver + "." + name
				}
				names = append(names, parsed.Name.Name+"."+name)
			}
		}
	}
	return names
}

// receiverName returns the name of the type of a receiver, without its star and its type
// parameters.
func receiverName(receiver ast.Expr) string {
	switch e := receiver.(type) {
	case *ast.StarExpr:
		return receiverName(e.X)
	case *ast.IndexExpr:
		return receiverName(e.X)
	case *ast.Ident:
		return e.Name
	}
	return ""
}

// A nil pointer or function in a clock's clothes is as nil as a nil clock.
func TestNilClocksAndOptionsAreErrors(t *testing.T) {
	var noMock *limittest.Clock
	var noFunc clockFunc
	rate := ratelimit.PerSecond(10)
	for name, build := range map[string]limittest.New{
		"gcra.New":                func(o ...ratelimit.Option) (ratelimit.Limiter, error) { return gcra.New(rate, 5, o...) },
		"gcra.NewStriped":         func(o ...ratelimit.Option) (ratelimit.Limiter, error) { return gcra.NewStriped(rate, 5, o...) },
		"tokenbucket.New":         func(o ...ratelimit.Option) (ratelimit.Limiter, error) { return tokenbucket.New(rate, 5, o...) },
		"tokenbucket.NewInterval": func(o ...ratelimit.Option) (ratelimit.Limiter, error) { return tokenbucket.NewInterval(rate, 5, o...) },
		"fixedwindow.NewAnchored": func(o ...ratelimit.Option) (ratelimit.Limiter, error) { return fixedwindow.NewAnchored(rate, o...) },
		"fixedwindow.NewAligned":  func(o ...ratelimit.Option) (ratelimit.Limiter, error) { return fixedwindow.NewAligned(rate, o...) },
		"slidingwindow.NewLog":    func(o ...ratelimit.Option) (ratelimit.Limiter, error) { return slidingwindow.NewLog(rate, o...) },
		"slidingwindow.NewCounter": func(o ...ratelimit.Option) (ratelimit.Limiter, error) {
			return slidingwindow.NewCounter(rate, 10, o...)
		},
	} {
		for what, opt := range map[string]ratelimit.Option{
			"WithClock":  ratelimit.WithClock(nil),
			" WithClock": ratelimit.WithClock(noMock),
			"WithClock ": ratelimit.WithClock(noFunc),
			"opts[0]":    nil,
		} {
			_, err := build(opt)
			require.ErrorContains(t, err, name+": "+strings.TrimSpace(what)+" is nil, want")
		}
	}
}

// clockless is a limiter whose author forgot the clock.
type clockless struct{ ratelimit.Limiter }

func (clockless) Clock() ratelimit.Clock { return (*limittest.Clock)(nil) }

// A limiter without a clock is refused before anything reads it.
func TestNilClocksOfLimitersAreErrors(t *testing.T) {
	l := clockless{ratelimit.Unlimited()}
	_, err := ratelimit.All(l)
	require.EqualError(t, err, "ratelimit.All: ls[0].Clock() is nil, want a clock")
	_, err = ratelimit.NewQueue(l, 1)
	require.EqualError(t, err, "ratelimit.NewQueue: l.Clock() is nil, want a clock")
	require.EqualError(t, ratelimit.Wait(t.Context(), l, 1), "ratelimit.Wait: l.Clock() is nil, want a clock")
}
