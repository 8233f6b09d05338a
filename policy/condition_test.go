package policy

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
)

func TestCondition(t *testing.T) {
	for _, c := range []struct {
		text    string
		yes, no []string // values, of which "" is none
	}{
		{"user", []string{"7", "!"}, []string{""}},
		{"!user", []string{""}, []string{"7"}},
		{"user=7|3|5", []string{"3", "5", "7"}, []string{"", "4", "37", "7|3|5"}},
		{"user!=7|3|5", []string{"", "4", "37"}, []string{"3", "5", "7"}},
		{"user=a=b", []string{"a=b"}, []string{"a"}},
		{"user=!7", []string{"!7"}, []string{"7"}},
		{"user=Ä ö", []string{"Ä ö"}, []string{"ä ö"}},
	} {
		one, want := compileCondition(c.text)
		require.Empty(t, want, c.text)
		require.Equal(t, "user", one.attribute)
		for _, value := range c.yes {
			require.True(t, one.holds(value), "%s: %q", c.text, value)
		}
		for _, value := range c.no {
			require.False(t, one.holds(value), "%s: %q", c.text, value)
		}
		require.Zero(t, testing.AllocsPerRun(10, func() { one.holds("5") }))
	}
}

func TestCanHold(t *testing.T) {
	for _, c := range []struct {
		ok   bool
		list []string
	}{
		{true, nil},
		{true, []string{"a", "!b", "c=1", "d!=1"}},
		{true, []string{"a", "a=1|2", "a=2|3", "a!=1"}},
		{true, []string{"!a", "a!=1"}},
		{true, []string{"a", "a!=1|2"}},
		{false, []string{"a", "!a"}},
		{false, []string{"!a", "b", "a=1"}},
		{false, []string{"a=1", "a=2"}},
		{false, []string{"a=1|2", "a!=1", "a!=2"}},
		{false, []string{"b", "a!=1|2", "a=1|2"}},
	} {
		var all []condition
		for _, text := range c.list {
			one, want := compileCondition(text)
			require.Empty(t, want)
			all = append(all, one)
		}
		require.Equal(t, c.ok, canHold(all), c.list)
	}
}

func TestOverrideApplies(t *testing.T) {
	shown, more := ratelimit.PerMinute(90), ratelimit.PerMinute(300)
	l := Limit{Name: "a", Rate: ratelimit.PerMinute(30), As: GCRA, Shown: &shown}
	for _, c := range []struct {
		override Override
		want     Limit
		burst    int
	}{
		{Override{}, l, 30},
		{Override{Rate: &more}, Limit{Name: "a", Rate: more, As: GCRA}, 300},
		{Override{Rate: &more, Shown: &more}, Limit{Name: "a", Rate: more, As: GCRA, Shown: &more}, 300},
		{Override{Shown: &more}, Limit{Name: "a", Rate: l.Rate, As: GCRA, Shown: &more}, 30},
		{Override{Burst: 7}, Limit{Name: "a", Rate: l.Rate, As: GCRA, Burst: 7, Shown: &shown}, 7},
	} {
		got := c.override.apply(l)
		require.Equal(t, c.want, got)
		require.Equal(t, c.burst, got.burst())
	}
}
