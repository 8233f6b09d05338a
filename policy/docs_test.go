package policy_test

import (
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit/policy"
)

// fence is a block of code in docs/policy.md, of a language.
type fence struct{ language, code string }

func fences(t *testing.T) (all []fence) {
	t.Helper()
	text, err := os.ReadFile("../docs/policy.md")
	require.NoError(t, err)
	for i, block := range strings.Split(string(text), "```") {
		if i%2 == 1 {
			language, code, ok := strings.Cut(block, "\n")
			require.True(t, ok)
			all = append(all, fence{language, code})
		}
	}
	return all
}

// TestDocs parses the documents that docs/policy.md shows, asks an engine of each, and looks for
// what the page says that they say of themselves.
func TestDocs(t *testing.T) {
	documents, explained := 0, 0
	var last policy.Policy
	for _, f := range fences(t) {
		switch f.language {
		case "json":
			p, err := policy.Parse([]byte(f.code))
			require.NoError(t, err, f.code)
			require.NoError(t, p.Validate())
			_, err = policy.New(p, 1000)
			require.NoError(t, err, f.code)
			last = p
			documents++
		case "text":
			explanation := last.Explain()
			for line := range strings.Lines(f.code) {
				require.Contains(t, explanation, line)
				explained++
			}
		}
	}
	require.Equal(t, 11, documents, "one minute, the reference, and nine recipes")
	require.Greater(t, explained, 20)
}

// TestDocsOfFields looks for each field of a document in the page.
func TestDocsOfFields(t *testing.T) {
	page, err := os.ReadFile("../docs/policy.md")
	require.NoError(t, err)
	for _, of := range []reflect.Type{reflect.TypeFor[policy.Policy](), reflect.TypeFor[policy.Cost](), reflect.TypeFor[policy.Rule](),
		reflect.TypeFor[policy.Limit](), reflect.TypeFor[policy.Step](), reflect.TypeFor[policy.Override]()} {
		for i := range of.NumField() {
			name, _, _ := strings.Cut(of.Field(i).Tag.Get("json"), ",")
			require.Contains(t, string(page), "| `"+name+"`", of)
		}
	}
	for i := range reflect.TypeFor[policy.Counts]().NumField() {
		if name := reflect.TypeFor[policy.Counts]().Field(i).Name; name != "Live" {
			require.Contains(t, string(page), "`"+name+"`")
		}
	}
}

// TestDocsOfFaults makes the fault that the page shows the message of.
func TestDocsOfFaults(t *testing.T) {
	var message string
	for _, f := range fences(t) {
		if strings.HasPrefix(f.code, "line ") {
			message = strings.TrimSpace(f.code)
		}
	}
	found := 0
	for _, f := range fences(t) {
		if strings.Contains(f.code, `"name": "example"`) {
			_, err := policy.Parse([]byte(strings.Replace(f.code, `"as": "gcra"`, `"as": "gcr"`, 1)))
			require.EqualError(t, err, "policy: "+message)
			found++
		}
	}
	require.Equal(t, 1, found)
}

// TestDocsOfLimits parses the limits that the page shows in a line each.
func TestDocsOfLimits(t *testing.T) {
	limits := 0
	for _, f := range fences(t) {
		if !strings.HasPrefix(f.code, "gcra 90/min burst 10\n") {
			continue
		}
		for line := range strings.Lines(f.code) {
			line = strings.TrimSpace(line)
			l, err := policy.ParseLimit(line)
			require.NoError(t, err)
			require.Equal(t, line, l.String())
			limits++
		}
	}
	require.Equal(t, 6, limits)
}
