package logs

import (
	"slices"
	"strings"
	"time"

	"github.com/seed-3506548a/ratelimit"
)

// Format says how a log is written. Its zero value is [Auto].
type Format struct {
	// Kind is "" (detected by the first line), "access" (the Common and the Combined Log Format),
	// "json", "csv", "tsv" or "counts".
	Kind string

	// Columns gives columns the names that this package uses: time, host, user, method, target,
	// status, count; or names of your own.
	Columns map[string]string

	// Every is the interval of counts; 0: the distance of the first two times. See [Spread].
	Every time.Duration
}

// Auto detects the format by the first line.
var Auto Format

const wantFormat = "auto, common, combined, json, caddy, traefik, nginx, csv, tsv or counts, " +
	"and columns behind a colon, as in csv:time=when,host=who"

// ParseFormat reads a format from a string:
//
//	auto
//	combined
//	json:time=when,host=client.address
//	csv:time=TIMESTAMP,cost=ContextTokens
//	counts:every=1m
//
// common, combined and access are one, and so are json, caddy and traefik; nginx is detected. The
// error is a [*ratelimit.ArgumentError].
func ParseFormat(text string) (Format, error) {
	refuse := func(want string) (Format, error) {
		return Format{Kind: text}, &ratelimit.ArgumentError{Func: "logs.ParseFormat", Field: "format", Value: text, Want: want}
	}
	kind, columns, more := strings.Cut(text, ":")
	f := Format{Kind: kind}
	switch kind {
	case "", "auto", "nginx":
		f.Kind = ""
	case "access", "common", "combined", "vhost", "apache":
		f.Kind = "access"
	case "json", "caddy", "traefik":
		f.Kind = "json"
	case "csv", "tsv", "counts":
	default:
		return refuse(wantFormat)
	}
	if !more {
		return f, nil
	}
	f.Columns = map[string]string{}
	for one := range strings.SplitSeq(columns, ",") {
		name, column, ok := strings.Cut(one, "=")
		if !ok || name == "" || column == "" {
			return refuse("name=column behind the colon, and commas between several")
		}
		if name == "every" && kind == "counts" {
			every, err := time.ParseDuration(column)
			if err != nil || every <= 0 {
				return refuse("a length of time above 0 after every=, as in every=1m")
			}
			f.Every = every
			continue
		}
		if f.Columns[name] != "" {
			return refuse("each name once: " + name + " is there twice")
		}
		f.Columns[name] = column
	}
	return f, nil
}

// parser returns one for a log whose first line is the given one.
func (f Format) parser(line string) (parser, *LineError) {
	kind := f.Kind
	if kind == "" {
		kind = sniffed(line)
	}
	switch kind {
	case "access":
		return &access{}, nil
	case "json":
		return &objects{format: f}, nil
	case "csv", "tsv", "counts":
		t := &table{format: f, comma: comma(line), counts: kind == "counts"}
		if kind == "tsv" {
			t.comma = '\t'
		}
		t.header, _ = t.split(line)
		t.places = f.find(t.header)
		switch {
		case t.places[roleTime] < 0 && f.Kind == "":
			return nil, fault("the format is not known", line, "a line of an access log, an object of JSON, or a header with a column time")
		case t.places[roleTime] < 0:
			return nil, fault("the header has no column of times", line, "one that the format names, as in "+kind+":time=COLUMN")
		case kind == "counts" && t.places[roleCount] < 0:
			return nil, fault("the header has no column of counts", line, "one that the format names, as in counts:count=COLUMN")
		}
		return t, nil
	}
	return nil, fault("the format is not known", line, "a line of an access log, an object of JSON, or a header with a column time")
}

// sniffed returns the format of a log that begins with the line.
func sniffed(line string) string {
	if strings.HasPrefix(withoutPrefix(line), "{") {
		return "json"
	}
	if _, rest, ok := strings.Cut(line, " ["); ok {
		stamp, _, closed := strings.Cut(rest, "]")
		if closed && strings.Count(stamp, "/") == 2 && strings.Count(stamp, ":") >= 3 {
			return "access"
		}
	}
	if strings.IndexByte(line, '\t') >= 0 {
		return "tsv"
	}
	t := table{comma: comma(line)}
	header, _ := t.split(line)
	if len(header) <= 4 {
		if places := Auto.find(header); places[roleTime] >= 0 && places[roleCount] >= 0 {
			return "counts"
		}
	}
	return "csv"
}

// comma returns what separates the columns of a header.
func comma(line string) byte {
	commas := []byte{',', '\t', ';'}
	return slices.MaxFunc(commas, func(a, b byte) int {
		return strings.Count(line, string(a)) - strings.Count(line, string(b))
	})
}
