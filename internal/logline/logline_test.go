package logline_test

import (
	"bufio"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit/internal/logline"
)

func TestReader(t *testing.T) {
	long := strings.Repeat("a", 100)
	for _, row := range []struct {
		log   string
		lines []string
	}{
		{"", []string{""}},
		{"a", []string{"a"}},
		{"a\n", []string{"a\n", ""}},
		{"\n\nb", []string{"\n", "\n", "b"}},
		{long + "\nb\n" + long, []string{long + "\n", "b\n", long}},
		{"..a.\n" + strings.Repeat(".", 100) + "b\n.", []string{"a.\n", "b\n", ""}},
	} {
		r := logline.Reader{Log: bufio.NewReaderSize(strings.NewReader(row.log), 16), Skip: func(line []byte) []byte {
			return []byte(strings.TrimLeft(string(line), "."))
		}}
		for i, want := range row.lines {
			line, last, err := r.Next()
			require.NoError(t, err)
			require.Equal(t, want, string(line), "%q", row.log)
			require.Equal(t, i == len(row.lines)-1, last, "%q", row.log)
			require.Equal(t, i+1, r.Number)
		}
	}
}

func TestReaderOfLongLines(t *testing.T) {
	r := logline.Reader{Log: bufio.NewReader(strings.NewReader(strings.Repeat("a", 5<<20) + "\nb"))}
	line, last, err := r.Next()
	require.NoError(t, err)
	require.False(t, last)
	require.Greater(t, len(line), logline.Longest)
	require.Less(t, len(line), 2*logline.Longest)
	line, last, err = r.Next()
	require.NoError(t, err)
	require.Equal(t, "b", string(line))
	require.True(t, last)

	broken := errors.New("broken")
	r = logline.Reader{Log: bufio.NewReader(io.MultiReader(strings.NewReader("a"), iotest.ErrReader(broken)))}
	_, last, err = r.Next()
	require.ErrorIs(t, err, broken)
	require.True(t, last)
}

func TestCut(t *testing.T) {
	for _, s := range []string{"", " ", "a", " a", "a ", "a b c", "ab"} {
		before, after, found := logline.Cut(s, ' ')
		wantBefore, wantAfter, wantFound := strings.Cut(s, " ")
		require.Equal(t, []any{wantBefore, wantAfter, wantFound}, []any{before, after, found}, s)
	}
}

func TestCutClient(t *testing.T) {
	for line, want := range map[string][2]string{
		"h - - [t] r":                   {"h - -", "t] r"},
		"[h] - - [t] r":                 {"[h] - -", "t] r"},
		"h - a[b [t] r":                 {"h - a[b", "t] r"},
		" [":                            {"", ""},
		"h - x [t a[b r":                {"h - x", "t a[b r"},
		`h - x [t] [u] "r" [v] "w"`:     {"h - x [t]", `u] "r" [v] "w"`},
		`h - x [t] \"r\" [u] "r"`:       {`h - x [t] \"r\"`, `u] "r"`},
		`h - x [t] \x22r\x22 1 [u] "r"`: {`h - x [t] \x22r\x22 1`, `u] "r"`},
	} {
		client, rest, ok := logline.CutClient(line)
		require.True(t, ok, line)
		require.Equal(t, want, [2]string{client, rest}, line)
	}
	for _, line := range []string{"", "h - -", "[h]", "h[", "a[", "h - x [t] [u] r", `h "] "`} {
		_, _, ok := logline.CutClient(line)
		require.False(t, ok, line)
	}
}

func TestQuoted(t *testing.T) {
	for s, want := range map[string][2]string{
		`"" a`:             {"", " a"},
		`"a"b`:             {"a", "b"},
		`"a \"b\" \x41" c`: {`a "b" A`, " c"},
		`"a" "\"b"`:        {"a", ` "\"b"`},
		`"\\" "b"`:         {`\`, ` "b"`},
		`"a \q \"" b`:      {`a \q \"`, " b"},
		"\"a\tb\" c":       {"a\tb", " c"},
	} {
		text, rest, ok := logline.Quoted(s)
		require.True(t, ok, s)
		require.Equal(t, want, [2]string{text, rest}, s)
	}
	for _, s := range []string{"", "a", `"`, `"a`, `"a\"`, `a"b"`, `"\`} {
		_, rest, ok := logline.Quoted(s)
		require.False(t, ok, s)
		require.Equal(t, s, rest)
	}
}

func TestPrefixed(t *testing.T) {
	for _, row := range []struct {
		identity, user string
		want           bool
	}{
		{"-", "-", false}, {"-", "bob", false}, {"-", "Anna Maria", false}, {"-", "a-b c-d", false},
		{"", "bob", true}, {"-", "192.0.2.1 - -", true}, {"a", "b - c", true}, {"a", "- c", true}, {"a", "b -", true},
		{"[web]", "bob", true}, {"[", "-", true}, {"-", "[bob", false}, {"web", "[bob", true}, {"web", "b[ob", false}, {"-", " - b", true},
	} {
		require.Equal(t, row.want, logline.Prefixed(row.identity, row.user), "%q %q", row.identity, row.user)
	}
}

func TestPrintable(t *testing.T) {
	for s, want := range map[string]bool{"": true, "a b": true, "é": true, "a\tb": false, "\x7f": false, "é\x00": false, "\u0085": false, "\ufeff": false, "\u00a0": false} {
		require.Equal(t, want, logline.Printable(s), "%q", s)
	}
	require.Empty(t, logline.Absent("-"))
	require.Equal(t, "a", logline.Absent("a"))
}
