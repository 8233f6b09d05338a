package policy

import (
	"encoding/json"
	"slices"
	"strings"
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
		{"user=a%7Cb|c", []string{"a|b", "c"}, []string{"", "a", "b", "a%7Cb"}},
		{"user!=a%7cb", []string{"", "a", "b"}, []string{"a|b"}},
		{"user=%3Da%20|%0A|%C3%A4|50%25", []string{"=a ", "\n", "ä", "50%"}, []string{"=a", "", "50%25"}},
		{"user=50%|%zz|%4|%", []string{"50%", "%zz", "%4", "%"}, []string{"50", "%7C"}},
		{"user=%z4|%4z", []string{"%z4", "%4z"}, []string{"z4", "\x34"}},
		{"user=%2541", []string{"%41"}, []string{"A", "%2541"}},
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
		{true, []string{"a", "a!=%00|%00x"}},
		{true, []string{"a", "a!=other"}},
		{false, []string{"a", "!a"}},
		{false, []string{"!a", "b", "a=1"}},
		{false, []string{"a=1", "a=2"}},
		{false, []string{"a=%31", "a!=1"}},
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

func TestNames(t *testing.T) {
	for name, ok := range map[string]bool{
		"a": true, "a-1_b.c": true, strings.Repeat("a", 64): true, strings.Repeat("a", 65): false, "": false, "-a": false, ".a": false, "a b": false, "ä": false,
	} {
		require.Equal(t, ok, isName(name), name)
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

// TestIs writes conditions that hold of what names from elsewhere are, and of nothing else.
func TestIs(t *testing.T) {
	require.Equal(t, "plan=free|trial", Is("plan", "free", "trial"))
	require.Equal(t, "tenant=a%7Cb", Is("tenant", "a|b"))
	require.Equal(t, "tenant=%3Da", Is("tenant", "=a"))
	require.Equal(t, "tenant=a%257Cb", Is("tenant", "a%7Cb"))
	for _, text := range []string{Is("tenant"), Is("tenant", ""), Is("a b", "c"), Is("tenant", "a", "a")} {
		_, want := compileCondition(text)
		require.NotEmpty(t, want, text)
	}
}

// FuzzCondition: whatever a value is, Is writes a condition that holds of it alone, in a document
// too. And a text without a % means what it says.
func FuzzCondition(f *testing.F) {
	for _, value := range []string{"", "7", "a|b", "|", "=", "=a=", "%", "%7C", "%7", "a b", " a", "a\n", "\x00", "\xff", "ä", "x+y"} {
		f.Add(value, value+"|")
	}
	f.Fuzz(func(t *testing.T, value, other string) {
		if value != "" {
			text := Is("tenant", value)
			c, want := compileCondition(text)
			require.Empty(t, want, text)
			require.Equal(t, []string{value}, c.values)
			require.Equal(t, value == other, c.holds(other))

			p := Policy{Rules: []Rule{{Name: "a", When: []string{text}, Mode: Exempt}}}
			document, err := json.Marshal(p)
			require.NoError(t, err)
			again, err := Parse(document)
			require.NoError(t, err)
			require.Equal(t, p, again)
			require.Equal(t, 1, strings.Count(p.Explain(), "\n\n"), "one line is left between its parts")
		}
		if c, want := compileCondition("tenant=" + value); want == "" && !strings.Contains(value, "%") {
			values := strings.Split(value, "|")
			slices.Sort(values)
			require.Equal(t, values, c.values)
		}
	})
}
