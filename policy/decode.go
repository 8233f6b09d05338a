package policy

import (
	"bytes"
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/seed-3506548a/ratelimit"
)

// longestDocument is in bytes: more than ten thousand overrides.
const longestDocument = 1 << 20

// decoder reads a document into values by their json tags, and finds what package encoding/json
// lets pass: fields that there are not or that are there twice, names in another case, nulls,
// numbers that are not kept exactly, texts that are not Unicode; and it knows the line of each
// value. A field whose tag does not let it be left out must be there.
type decoder struct {
	tokens *json.Decoder
	data   []byte
	read   int // of data, up to which lines are counted
	line   int // at read
	lines  map[string]int
	faults Faults
}

// decode reads the document into v. The lines are those of all values by their paths.
func decode(data []byte, v any) (lines map[string]int, faults Faults) {
	d := decoder{tokens: json.NewDecoder(bytes.NewReader(data)), data: data, line: 1, lines: map[string]int{}}
	d.tokens.UseNumber()
	if d.wellFormed() {
		d.value(reflect.ValueOf(v).Elem(), "")
	}
	return d.lines, d.faults
}

// wellFormed reports whether the data is JSON. Only then are there tokens without an error.
func (d *decoder) wellFormed() bool {
	at := func(offset int) int { return 1 + bytes.Count(d.data[:offset], []byte("\n")) }
	if len(d.data) > longestDocument {
		d.faults.addAt(0, "", fmt.Sprintf("a document of %d bytes", len(d.data)), fmt.Sprintf("at most %d", longestDocument))
		return false
	}
	for i := 0; i < len(d.data); {
		r, size := utf8.DecodeRune(d.data[i:])
		if r == utf8.RuneError && size == 1 {
			d.faults.addAt(at(i), "", "not UTF-8", "a JSON document in UTF-8")
			return false
		}
		i += size
	}
	var whole json.RawMessage
	err := json.Unmarshal(d.data, &whole)
	if err == nil {
		return true
	}
	line := at(len(d.data))
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		line = at(int(min(max(syntax.Offset-1, 0), int64(len(d.data)))))
	}
	d.faults.addAt(line, "", "not JSON ("+err.Error()+")",
		"one JSON object, with names in double quotes, no comments, and no comma before a closing bracket")
	return false
}

// next returns the next token, and counts its line. There is no error, as the data is well formed.
func (d *decoder) next() json.Token {
	token, _ := d.tokens.Token()
	offset := int(d.tokens.InputOffset())
	d.line += bytes.Count(d.data[d.read:offset], []byte("\n"))
	d.read = offset
	return token
}

func (d *decoder) fault(path, is, want string) { d.faults.addAt(d.line, path, is, want) }

// full reports whether it is no use to go on.
func (d *decoder) full() bool { return d.faults.More }

// value reads the next value into v.
func (d *decoder) value(v reflect.Value, path string) {
	token := d.next()
	d.lines[path] = d.line
	if v.Kind() == reflect.Pointer {
		v.Set(reflect.New(v.Type().Elem()))
		v = v.Elem()
	}
	if text, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		d.text(text, token, path)
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		if token == json.Delim('{') {
			d.object(v, path)
			return
		}
		d.wrong(token, path, "an object in braces")
	case reflect.Slice:
		if token == json.Delim('[') {
			d.list(v, path)
			return
		}
		d.wrong(token, path, "a list in square brackets")
	case reflect.String:
		if s, ok := d.string(token, path, "a text in quotes"); ok {
			v.SetString(s)
		}
	case reflect.Bool:
		if b, ok := token.(bool); ok {
			v.SetBool(b)
			return
		}
		d.wrong(token, path, "true or false")
	case reflect.Int:
		d.number(v, token, path)
	default:
		panic("policy: no such field: " + v.Type().String())
	}
}

// text reads a rate or a span.
func (d *decoder) text(v encoding.TextUnmarshaler, token json.Token, path string) {
	want := wantSpan
	if _, ok := v.(*ratelimit.Rate); ok {
		want = wantRate
	}
	if s, ok := d.string(token, path, want); ok && v.UnmarshalText([]byte(s)) != nil {
		d.fault(path, quote(s), want)
	}
}

func (d *decoder) string(token json.Token, path, want string) (string, bool) {
	s, ok := token.(string)
	switch {
	case !ok:
		d.wrong(token, path, want)
	case strings.ContainsRune(s, utf8.RuneError): // what an escape that is no character has become
		ok = false
		d.fault(path, quote(s), `a text without U+FFFD, for which \ud800 and its like stand, too`)
	}
	return s, ok
}

func (d *decoder) number(v reflect.Value, token json.Token, path string) {
	number, ok := token.(json.Number)
	if !ok {
		d.wrong(token, path, "a whole number")
		return
	}
	n, err := strconv.ParseInt(number.String(), 10, 32)
	switch {
	case err == nil:
		v.SetInt(n)
	case errors.Is(err, strconv.ErrRange):
		d.wrong(token, path, "a whole number of at most 2147483647")
	default:
		d.wrong(token, path, "a whole number without point and exponent")
	}
}

// wrong adds the fault that the token is not what is wanted, and skips the rest of its value.
func (d *decoder) wrong(token json.Token, path, want string) {
	is := fmt.Sprint(token)
	switch t := token.(type) {
	case nil:
		is, want = "null", want+"; or leave it out"
	case string:
		is = quote(t)
	case json.Number:
		if len(is) > 64 {
			is = is[:64] + "..."
		}
	case json.Delim:
		is = "a list"
		if t == '{' {
			is = "an object"
		}
	}
	d.fault(path, is, want)
	d.skip(token)
}

// skip reads to the end of the value that begins with the token.
func (d *decoder) skip(token json.Token) {
	depth := 0
	for {
		switch token {
		case json.Delim('{'), json.Delim('['):
			depth++
		case json.Delim('}'), json.Delim(']'):
			depth--
		}
		if depth == 0 {
			return
		}
		token = d.next()
	}
}

// list reads the rest of a list.
func (d *decoder) list(v reflect.Value, path string) {
	line := d.line
	for i := 0; d.tokens.More() && !d.full(); i++ {
		v.Set(reflect.Append(v, reflect.Zero(v.Type().Elem())))
		d.value(v.Index(i), fmt.Sprintf("%s[%d]", path, i))
	}
	if d.full() {
		return
	}
	d.next()
	if v.Len() == 0 && v.Type().Elem().Kind() == reflect.String {
		d.faults.addAt(line, path, "an empty list", "at least one text in it, or no such field")
	}
}

// object reads the rest of an object.
func (d *decoder) object(v reflect.Value, path string) {
	seen := map[string]int{} // lines
	for d.tokens.More() && !d.full() {
		name := d.next().(string)
		at := child(path, name)
		field := fieldOf(v.Type(), name)
		first, again := seen[name]
		if !again {
			seen[name] = d.line
		}
		switch schema := path == "" && name == "$schema"; {
		case again:
			d.fault(at, fmt.Sprintf("there again, after line %d", first), "it once")
			d.skip(d.next())
		case field < 0 && !schema:
			d.fault(at, "not a field of "+article(v.Type()), join(fieldNames(v.Type()), "or"))
			d.skip(d.next())
		case schema:
			d.string(d.next(), at, "the address of a JSON schema in quotes")
		default:
			d.value(v.Field(field), at)
			if v.Field(field).Kind() == reflect.String && v.Field(field).Len() == 0 && optional(v.Type().Field(field)) && !d.faults.about(at) {
				d.fault(at, `""`, "a text that is not empty; or leave it out")
			}
		}
	}
	if !d.full() {
		d.next()
	}
}

// child returns the path of a field.
func child(path, name string) string {
	if name == "" || len(name) > 64 || strings.Trim(name, letters+digits+"._-$") != "" {
		name = quote(name)
	}
	if path == "" {
		return name
	}
	return path + "." + name
}

// jsonName returns the name of a field in documents.
func jsonName(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	return name
}

// optional reports whether a field is left out of documents if it is empty.
func optional(f reflect.StructField) bool { return strings.Contains(f.Tag.Get("json"), ",omit") }

// fieldOf returns the index of the field of that name, or -1.
func fieldOf(t reflect.Type, name string) int {
	return slices.Index(fieldNames(t), name)
}

func fieldNames(t reflect.Type) (names []string) {
	for i := range t.NumField() {
		names = append(names, jsonName(t.Field(i)))
	}
	return names
}

// article returns what a type is called in a sentence: "a rule".
func article(t reflect.Type) string {
	if name := strings.ToLower(t.Name()); strings.HasPrefix(name, "o") {
		return "an " + name
	} else {
		return "a " + name
	}
}
