package policy_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/policy"
)

type object = map[string]any

const (
	name        = `[A-Za-z0-9][A-Za-z0-9._-]{0,63}`
	namePattern = "^" + name + "$"
	unitPattern = `(ns|us|µs|μs|ms|s|sec|second|m|min|minute|h|hour|d|day)`
)

// narrowed is what a schema says of fields beyond their types.
var narrowed = map[string]object{
	"Policy.Name":    {"pattern": namePattern},
	"Policy.Rules":   {"minItems": 1},
	"Rule.Name":      {"pattern": namePattern},
	"Rule.Key":       {"maxItems": 4, "items": object{"$ref": "#/$defs/key"}},
	"Rule.When":      {"maxItems": 16, "items": object{"$ref": "#/$defs/condition"}},
	"Rule.Limits":    {"maxItems": 16},
	"Rule.Ladder":    {"maxItems": 16},
	"Rule.Missing":   {"enum": []any{"skip", "share"}},
	"Rule.Mode":      {"enum": []any{"watch", "shadow", "exempt"}},
	"Limit.Name":     {"pattern": namePattern},
	"Limit.As":       {"enum": []any{"gcra", "interval", "anchored", "aligned", "log", "counter"}},
	"Limit.Of":       {"pattern": namePattern},
	"Step.After":     {"minimum": 1},
	"Step.Do":        {"enum": []any{"log", "notify", "throttle", "block", "revoke"}},
	"Step.Who":       {"maxItems": 4, "items": object{"$ref": "#/$defs/key"}},
	"Override.When":  {"maxItems": 16, "items": object{"$ref": "#/$defs/condition"}},
	"Override.Limit": {"minLength": 1},
	"Limit.Count":    {"items": object{"type": "string", "pattern": "^[1-5]([0-9][0-9]|xx)$"}},
	"Cost.Match":     {"items": object{"$ref": "#/$defs/pattern"}},
	"Rule.Match":     {"items": object{"$ref": "#/$defs/pattern"}},
	"Override.Match": {"items": object{"$ref": "#/$defs/pattern"}},
}

// schemaOf describes the type, which is a struct's if it has a name in defs.
func schemaOf(t reflect.Type) object {
	switch {
	case t.Kind() == reflect.Pointer:
		return schemaOf(t.Elem())
	case t == reflect.TypeFor[ratelimit.Rate]():
		return object{"$ref": "#/$defs/rate"}
	case t == reflect.TypeFor[policy.Span]():
		return object{"$ref": "#/$defs/span"}
	}
	switch t.Kind() {
	case reflect.Struct:
		return object{"$ref": "#/$defs/" + strings.ToLower(t.Name())}
	case reflect.Slice:
		list := object{"type": "array", "items": schemaOf(t.Elem())}
		if t.Elem().Kind() == reflect.String {
			list["minItems"], list["uniqueItems"] = 1, true
		}
		return list
	case reflect.String:
		return object{"type": "string"}
	case reflect.Bool:
		return object{"type": "boolean"}
	case reflect.Int:
		return object{"type": "integer", "minimum": 0, "maximum": math.MaxInt32}
	default:
		panic(t)
	}
}

// structOf describes a struct by its fields; docs are the comments on them.
func structOf(t reflect.Type, docs map[string]string) object {
	properties := object{}
	required := []any{}
	for i := range t.NumField() {
		field := t.Field(i)
		key := t.Name() + "." + field.Name
		as, option, _ := strings.Cut(field.Tag.Get("json"), ",")
		s := schemaOf(field.Type)
		for k, v := range narrowed[key] {
			s[k] = v
		}
		s["description"] = docs[key]
		properties[as] = s
		if option == "" || key == "Policy.Rules" || key == "Limit.Rate" {
			required = append(required, as)
		}
	}
	return object{"type": "object", "description": docs[t.Name()], "properties": properties, "required": required, "additionalProperties": false}
}

// comments returns those on the types and fields of policy.go, in one line each.
func comments(t *testing.T) map[string]string {
	docs := map[string]string{}
	link := regexp.MustCompile(`\[([A-Za-z./]+)\]`)
	set := func(key string, doc *ast.CommentGroup) {
		docs[key] = link.ReplaceAllString(strings.Join(strings.Fields(doc.Text()), " "), "$1")
	}
	file, err := parser.ParseFile(token.NewFileSet(), "policy.go", nil, parser.ParseComments)
	require.NoError(t, err)
	for _, d := range file.Decls {
		general, ok := d.(*ast.GenDecl)
		if !ok || general.Tok != token.TYPE {
			continue
		}
		spec := general.Specs[0].(*ast.TypeSpec)
		set(spec.Name.Name, general.Doc)
		fields, ok := spec.Type.(*ast.StructType)
		if !ok {
			continue
		}
		for _, f := range fields.Fields.List {
			for _, name := range f.Names {
				set(spec.Name.Name+"."+name.Name, f.Doc)
			}
		}
	}
	return docs
}

// schema returns what schema.json must be.
func schema(t *testing.T) object {
	docs := comments(t)
	docs["Override.When"] = docs["Override.Match"]
	root := structOf(reflect.TypeFor[policy.Policy](), docs)
	root["properties"].(object)["$schema"] = object{"type": "string"}
	root["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	root["title"] = "policy of rate limits"
	defs := object{
		"condition": object{"type": "string", "pattern": "^(!?" + name + "|" + name + "!?=[^=|][^|]*([|][^|]+)*)$"},
		"key":       object{"type": "string", "pattern": "^" + name + "([|]" + name + ")*$"},
		"pattern":   object{"type": "string", "pattern": "^([A-Z0-9_-]+ )?/"},
		"rate":      object{"type": "string", "pattern": "^[0-9]+/(" + unitPattern + "|([0-9]+" + unitPattern + ")+)$"},
		"span":      object{"type": "string", "pattern": "^([0-9]+" + unitPattern + ")+$"},
	}
	for _, of := range []reflect.Type{reflect.TypeFor[policy.Cost](), reflect.TypeFor[policy.Rule](), reflect.TypeFor[policy.Limit](),
		reflect.TypeFor[policy.Step](), reflect.TypeFor[policy.Override]()} {
		defs[strings.ToLower(of.Name())] = structOf(of, docs)
	}
	root["$defs"] = defs
	return root
}

// TestSchema holds schema.json against the types, by their fields, tags and comments.
func TestSchema(t *testing.T) {
	want, err := json.MarshalIndent(schema(t), "", "\t")
	require.NoError(t, err)
	want = append(want, '\n')
	if *update {
		require.NoError(t, os.WriteFile("schema.json", want, 0o600))
	}
	got, err := os.ReadFile("schema.json")
	require.NoError(t, err)
	require.Equal(t, string(want), string(got))
	require.NotContains(t, string(want), `"description": ""`)
}

var expressions = map[string]*regexp.Regexp{}

func compiled(expression string) *regexp.Regexp {
	r, ok := expressions[expression]
	if !ok {
		r = regexp.MustCompile(expression)
		expressions[expression] = r
	}
	return r
}

// conforms checks a value by the few keywords that schema.json uses.
func conforms(t *testing.T, root, s object, v any) error {
	if ref, ok := s["$ref"].(string); ok {
		def := root["$defs"].(object)[strings.TrimPrefix(ref, "#/$defs/")].(object)
		if err := conforms(t, root, def, v); err != nil {
			return err
		}
	}
	for keyword, value := range s {
		ok := true
		switch keyword {
		case "type":
			_, isObject := v.(object)
			_, isList := v.([]any)
			_, isString := v.(string)
			_, isBool := v.(bool)
			n, isNumber := v.(float64)
			ok = map[string]bool{"object": isObject, "array": isList, "string": isString, "boolean": isBool, "integer": isNumber && n == math.Trunc(n)}[value.(string)]
		case "enum":
			ok = slices.Contains(value.([]any), v)
		case "pattern":
			text, isString := v.(string)
			ok = !isString || compiled(value.(string)).MatchString(text)
		case "minLength":
			text, isString := v.(string)
			ok = !isString || len(text) >= int(value.(float64))
		case "minimum":
			n, isNumber := v.(float64)
			ok = !isNumber || n >= value.(float64)
		case "maximum":
			n, isNumber := v.(float64)
			ok = !isNumber || n <= value.(float64)
		case "minItems":
			items, isList := v.([]any)
			ok = !isList || len(items) >= int(value.(float64))
		case "maxItems":
			items, isList := v.([]any)
			ok = !isList || len(items) <= int(value.(float64))
		case "uniqueItems":
			items, _ := v.([]any)
			for i, item := range items {
				ok = ok && !slices.Contains(items[:i], item)
			}
		case "required":
			fields, isObject := v.(object)
			for _, name := range value.([]any) {
				_, there := fields[name.(string)]
				ok = ok && (there || !isObject)
			}
		case "additionalProperties":
			fields, _ := v.(object)
			for name := range fields {
				_, known := s["properties"].(object)[name]
				ok = ok && known
			}
		case "properties":
			fields, _ := v.(object)
			for name, field := range fields {
				if of, known := value.(object)[name]; known {
					if err := conforms(t, root, of.(object), field); err != nil {
						return fmt.Errorf("%s: %w", name, err)
					}
				}
			}
		case "items":
			items, _ := v.([]any)
			for i, item := range items {
				if err := conforms(t, root, value.(object), item); err != nil {
					return fmt.Errorf("%d: %w", i, err)
				}
			}
		case "$ref", "$defs", "$schema", "title", "description":
		default:
			require.Fail(t, "unknown keyword", keyword)
		}
		if !ok {
			return fmt.Errorf("%v is not of %s %v", v, keyword, value)
		}
	}
	return nil
}

var readSchema = sync.OnceValue(func() (root object) {
	text, err := os.ReadFile("schema.json")
	if err = errors.Join(err, json.Unmarshal(text, &root)); err != nil {
		panic(err)
	}
	return root
})

// check checks a document by schema.json.
func check(t *testing.T, document []byte) error {
	var v any
	if err := json.Unmarshal(document, &v); err != nil {
		return err
	}
	root := readSchema()
	return conforms(t, root, root, v)
}

// TestSchemaTakesPolicies checks the catalog, and a document with every field.
func TestSchemaTakesPolicies(t *testing.T) {
	require.NoError(t, check(t, []byte(full)))
	files, err := filepath.Glob("catalog/*.json")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		document, err := os.ReadFile(file)
		require.NoError(t, err)
		require.NoError(t, check(t, document), file)
	}
}

// TestSchemaRefusesMalformed checks the malformed documents, of which it refuses most: what it
// cannot know is listed.
func TestSchemaRefusesMalformed(t *testing.T) {
	beyond := []string{
		"a field twice",
		"a rule without limits",
		"rules of one name",
		"limits of one name",
		"rates that an algorithm cannot keep",
		"amounts of responses",
		"what is hidden, and shown",
		"nothing shown",
		"a condition with spaces",
		"a value twice",
		"conditions that exclude one another",
		"a key that is never there",
		"a missing key without a key",
		"an exempt rule that limits",
		"everything exempt",
		"steps with what they cannot have",
		"a throttle to nothing",
		"steps in the wrong order",
		"too many spans",
		"overrides that change nothing, or too much",
		"an override that excludes its rule",
		"an override that a later one displaces",
		"a text with half a character",
		"a list twice, the first of which is wrong",
		"conditions that exclude one another, and an override without any",
		"an attribute twice in a part of a key",
		"a rate of an override that its burst is too large for",
		"a throttle to what no gcra can keep",
		"two steps after as many strikes",
	}
	text, err := os.ReadFile("testdata/malformed.txt")
	require.NoError(t, err)
	var found []string
	for _, section := range strings.Split(string(text), "=== ")[1:] {
		name, rest, _ := strings.Cut(section, "\n")
		document, _, _ := strings.Cut(rest, "---\n")
		if check(t, []byte(document)) == nil {
			found = append(found, name)
		}
	}
	require.Equal(t, beyond, found)
}
