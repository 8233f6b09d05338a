package logs

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// objects reads an object of JSON in each line.
type objects struct {
	format Format
	stamps stamps
	last   []string // names of the last line, and the roles among them
	places found
	nulls  []string // names of columns that were null in the last line that had some, likewise
	among  found
}

func (o *objects) parse(r *Record, line string) (is bool, wrong *LineError) {
	text := line
	if !strings.HasPrefix(text, "{") {
		text = withoutPrefix(line)
	}
	if !strings.HasPrefix(text, "{") {
		return true, fault("the line is no object of JSON", line, `one as {"time": ...}`)
	}
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	var object map[string]any
	if err := decoder.Decode(&object); err != nil {
		return true, fault("the line is no object of JSON", line, `one as {"time": ...}`)
	}
	if rest := strings.TrimSpace(text[decoder.InputOffset():]); rest != "" { // it may be another request
		return true, fault("there is something after the object", rest, "one object in each line")
	}
	r.flatten("", object)
	if !slices.Equal(r.names, o.last) {
		o.last, o.places = slices.Clone(r.names), o.format.find(r.names)
	}
	request := slices.Max(o.places[roleHost:roleCount]) >= 0 || len(o.format.Columns) > 0
	if !request && (slices.Contains(r.names, "msg") || slices.Contains(r.names, "message")) {
		return true, fault("the line is a message, and no request", "", "")
	}
	wrong = r.fill(&o.stamps, &o.places)
	r.alias(o.format)
	if len(r.nulls) > 0 {
		if !slices.Equal(r.nulls, o.nulls) {
			o.nulls, o.among = slices.Clone(r.nulls), o.format.find(r.nulls)
		}
		r.know(o.among)
	}
	return true, wrong
}

// flatten sets columns to what an object has, in the order of the names. Those of an object in it
// begin with its name and a dot.
func (r *Record) flatten(prefix string, object map[string]any) {
	for _, name := range slices.Sorted(maps.Keys(object)) {
		switch v := object[name].(type) {
		case nil: // another column may have what this one does not, but it is there
			r.nulls = append(r.nulls, prefix+name)
		case map[string]any:
			r.flatten(prefix+name+".", v)
		case string:
			r.set(prefix+name, v)
		case json.Number:
			r.set(prefix+name, v.String())
		case bool:
			r.set(prefix+name, strconv.FormatBool(v))
		case []any:
			if len(v) == 1 { // as Caddy has header fields
				if text, ok := v[0].(string); ok {
					r.set(prefix+name, text)
				}
			}
		}
	}
}

// alias adds what the format gives other names. They come first, as the log may have such a name,
// too.
func (r *Record) alias(f Format) {
	names, values := r.names, r.values
	r.names, r.values = nil, nil
	for _, name := range slices.Sorted(maps.Keys(f.Columns)) {
		if i := slices.Index(names, f.Columns[name]); i >= 0 && f.Columns[name] != name {
			r.set(name, values[i])
		}
	}
	r.names, r.values = append(r.names, names...), append(r.values, values...)
}
