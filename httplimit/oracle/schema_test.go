package oracle

import (
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit/httplimit"
	"github.com/seed-3506548a/ratelimit/policy"
	"github.com/seed-3506548a/ratelimit/policy/catalog"
)

// problemDetails is what RFC 9457 and draft-ietf-httpapi-ratelimit-headers say of the members of
// problem details. The last one is of the draft.
const problemDetails = `{
	"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object",
	"properties": {
		"type": {"type": "string", "format": "uri-reference"},
		"title": {"type": "string"},
		"status": {"type": "integer", "minimum": 100, "maximum": 599},
		"detail": {"type": "string"},
		"instance": {"type": "string", "format": "uri-reference"},
		"violated-policies": {"type": "array", "items": {"type": "string"}, "minItems": 1}
	},
	"required": ["type", "title", "status"]
}`

// compiled returns a schema that checks formats, too.
func compiled(t *testing.T, document string) *jsonschema.Schema {
	t.Helper()
	value, err := jsonschema.UnmarshalJSON(strings.NewReader(document))
	require.NoError(t, err)
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	require.NoError(t, c.AddResource("document.json", value))
	schema, err := c.Compile("document.json")
	require.NoError(t, err)
	return schema
}

// fits returns why a document does not fit the schema.
func fits(t *testing.T, schema *jsonschema.Schema, document string) error {
	t.Helper()
	value, err := jsonschema.UnmarshalJSON(strings.NewReader(document))
	require.NoError(t, err, document)
	return schema.Validate(value)
}

// Each refusal has problem details, and what they say the status is is the status.
func TestProblemDetails(t *testing.T) {
	schema := compiled(t, problemDetails)
	require.Error(t, fits(t, schema, `{"type": "%", "title": "", "status": 429}`))
	require.Error(t, fits(t, schema, `{"type": "about:blank", "title": "", "status": 429, "violated-policies": []}`))
	r := rand.New(rand.NewPCG(3, 4))
	for range 2000 {
		d := random(r)
		d.OK = false
		d.Action = []policy.Action{policy.ByLimit, policy.ByThrottle, policy.ByBlock, policy.ByRevoke, policy.ByTest, policy.ByMissing}[r.IntN(6)]
		for i := range d.Standings {
			d.Standings[i].Crossed, d.Standings[i].Reduced = r.IntN(2) == 0, r.IntN(2) == 0
		}
		for _, draft := range []int{6, 7, 11} {
			w := httptest.NewRecorder()
			httplimit.IETF(draft).Refuse(w, httptest.NewRequest(http.MethodGet, "/", nil), d)
			require.Equal(t, "application/problem+json", w.Header().Get("Content-Type"))
			body := w.Body.String()
			require.NoError(t, fits(t, schema, body), body)
			value, err := jsonschema.UnmarshalJSON(strings.NewReader(body))
			require.NoError(t, err)
			require.Equal(t, json.Number(strconv.Itoa(w.Code)), value.(map[string]any)["status"])
		}
	}
}

// The schema of policies is one, and the policies of the catalog fit it. Another reader of it than
// that of package policy's tests agrees with Parse about documents that do not.
func TestPolicySchema(t *testing.T) {
	text, err := os.ReadFile("../../policy/schema.json")
	require.NoError(t, err)
	schema := compiled(t, string(text))
	for _, name := range catalog.Names() {
		document, err := os.ReadFile("../../policy/catalog/" + name + ".json")
		require.NoError(t, err)
		require.NoError(t, fits(t, schema, string(document)), name)
	}
	for _, document := range []string{
		`{}`, `{"rules": []}`, `{"rules": [{}]}`, `{"rules": [{"name": "a b"}]}`, `{"rules": [{"name": "a", "limit": []}]}`,
		`{"rules": [{"name": "a", "limits": [{"name": "b", "rate": "1 per s", "as": "gcra"}]}]}`,
		`{"rules": [{"name": "a", "limits": [{"name": "b", "rate": "1/s", "as": "bucket"}]}]}`,
		`{"rules": [{"name": "a", "limits": [{"name": "b", "rate": "1/s", "as": "gcra", "burst": -1}]}]}`,
		`{"rules": [{"name": "a", "mode": "off"}]}`, `{"rules": 1}`, `{"rules": [{"name": "a", "ladder": [{"after": 0, "do": "block"}]}]}`,
	} {
		_, err := policy.Parse([]byte(document))
		require.Error(t, err, document)
		require.Error(t, fits(t, schema, document), document)
	}
}
