package policy_test

import (
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit/limittest"
	"github.com/seed-3506548a/ratelimit/policy"
)

// scribble changes in place all that the value leads to: fields, items of lists, and what pointers
// point to.
func scribble(t *testing.T, v reflect.Value) {
	t.Helper()
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			scribble(t, v.Field(i))
		}
	case reflect.Slice:
		for i := range v.Len() {
			scribble(t, v.Index(i))
		}
	case reflect.Pointer:
		if !v.IsNil() {
			scribble(t, v.Elem())
		}
	case reflect.String:
		v.SetString(v.String() + "!")
	case reflect.Int, reflect.Int64:
		v.SetInt(v.Int() + 1)
	case reflect.Bool:
		v.SetBool(!v.Bool())
	default:
		require.Fail(t, "no such field", v.Type().String())
	}
}

// An engine shares no memory with the policy that it was given, by New or by Replace, nor with one
// that it returns: whoever changes these later changes nothing of the engine's.
func TestAnEngineKeepsACopyOfThePolicy(t *testing.T) {
	read := func() policy.Policy {
		p, err := policy.Parse([]byte(full))
		require.NoError(t, err)
		return p
	}
	want, given := read(), read()
	e, err := policy.New(given, 10, policy.WithClock(limittest.NewClock(t0)))
	require.NoError(t, err)
	scribble(t, reflect.ValueOf(&given))
	require.NotEqual(t, want, given)
	require.Equal(t, want, e.Policy(), "New keeps a copy")

	returned := e.Policy()
	scribble(t, reflect.ValueOf(&returned))
	require.Equal(t, want, e.Policy(), "Policy returns a copy")

	given = read()
	require.NoError(t, e.Replace(given))
	scribble(t, reflect.ValueOf(&given))
	require.Equal(t, want, e.Policy(), "Replace keeps a copy")
}
