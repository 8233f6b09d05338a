// Package logs reads requests from the logs of web servers, and from traces that are tables.
//
//	for record, err := range logs.Read(file, logs.Auto) {
//		if !faults.Add(&record, err) { // counts an error; a record whose time is known is good
//			continue
//		}
//		...
//	}
//
// # Formats
//
// Common and Combined Log Format, also with a virtual host before it or columns after it; JSON, an
// object in each line, with the names of Caddy, Traefik and nginx or names of your own; CSV and TSV
// with a header; and counts, a table with a number of requests for each interval. Any of these may
// be compressed by gzip. [Format] names them.
//
// A line may have something before it: the stamp of syslog, the service's name of docker compose, a
// byte order mark, NULs that a truncation has left, colours. That is taken off. A line that begins
// in another way is an error, and never a request of a wrong host.
//
// # Times
//
// A time is read by its form: that of the Common Log Format, RFC 3339 with a T or a space, with any
// fraction, and a number of seconds, ms, µs or ns since 1970, which its size shows. Without a zone
// it is UTC. A time before 1971 or after 2200 is an error: such stamps stand for none.
//
// # Errors
//
// An error of a line is a [*LineError], and reading continues. If only a column is wrong, the
// record comes with it, without that column. Any other error is the last of the sequence: the input
// could not be read to its end.
package logs

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/seed-3506548a/ratelimit/internal/identity"
	"github.com/seed-3506548a/ratelimit/internal/logline"
)

// Record is a request as a log has it. Its strings do not share memory with the next record's.
type Record struct {
	Line int       // where it ends, from 1
	At   time.Time // zero if the line has no time that can be read

	Host   string // name or address of the client; "" if there is none
	User   string // "" if the client is not authenticated
	Method string
	Target string // path and query
	Status int    // 0 if there is none

	// Count is how many requests the line stands for in the interval that begins At. It is 1 but in
	// a table of counts.
	Count int

	names, values []string    // of the other columns
	nulls         []string    // names of columns that are null
	roles         [roleN]bool // that the columns have, by whatever names
	bracketed     bool        // it is a line of an access log
	vhost, ident  string
	protocol      string
	rest          string // of an access log, what is behind the status
	counted       bool   // it is a line of counts

	told *[]string // reasons that a Faults has counted, of all records of this line
}

// Path returns the target without its query.
func (r *Record) Path() string {
	target := r.Target
	if strings.HasPrefix(target, "/") {
		path, _, _ := logline.Cut(target, '?')
		return path
	}
	if i := strings.Index(target, "://"); i > 0 { // as proxies are asked
		if slash := strings.IndexByte(target[i+3:], '/'); slash >= 0 {
			target = target[i+3+slash:]
		} else {
			target = "/"
		}
	}
	path, _, _ := logline.Cut(target, '?')
	return path
}

// Get returns a column by its name: host, which is also ip, user, method, path, target and status,
// or what else the log has: the names of a header, those of JSON joined by dots, and of the
// Combined Log Format vhost, ident, protocol, size, referer, agent, and column1 and so on for what
// follows. A column that is not there, and one that is "-", is "".
func (r *Record) Get(name string) string {
	for i, known := range r.names {
		if known == name {
			return logline.Absent(r.values[i])
		}
	}
	if r.bracketed {
		switch name {
		case "vhost":
			return r.vhost
		case "ident":
			return r.ident
		case "protocol":
			return r.protocol
		case "host", "ip", "user", "method", "path", "target", "status":
		default:
			return r.column(name)
		}
	}
	switch name {
	case "host", "ip":
		return r.Host
	case "user":
		return r.User
	case "method":
		return r.Method
	case "path":
		return logline.Absent(r.Path())
	case "target":
		return logline.Absent(r.Target)
	case "status":
		if r.Status > 0 {
			return fmt.Sprint(r.Status)
		}
	}
	return ""
}

// Has reports whether the log has a column of that name, whatever it says here.
func (r *Record) Has(name string) bool {
	for i, there := range r.roles {
		if there && roles[i].role == name {
			return true
		}
	}
	return slices.Contains(r.names, name) || slices.Contains(r.nulls, name) || r.Get(name) != ""
}

const (
	peeked  = 1 << 16 // bytes of a buffer
	guesses = 20      // lines at the beginning of which one must show the format
)

// Read reads a log, a line at a time. The sequence can be run through as often as r can be read.
// Read panics if r is nil.
func Read(r io.Reader, f Format) iter.Seq2[Record, error] {
	if identity.IsNil(r) {
		panic("logs.Read: r is nil, want a reader")
	}
	return func(yield func(Record, error) bool) {
		input, err := plain(bufio.NewReaderSize(r, peeked))
		if err != nil {
			yield(Record{}, fmt.Errorf("logs.Read: %w", err))
			return
		}
		in := reading{format: f}
		lines := logline.Reader{Log: input, Skip: clean} // so NULs at its beginning do not make a line long
		record := &Record{}
		for {
			line, last, err := lines.Next()
			if err != nil {
				yield(Record{}, fmt.Errorf("logs.Read: line %d: %w", lines.Number, err))
				return
			}
			*record = Record{Line: lines.Number}
			if is, fault := in.line(record, line); is {
				var wrong error
				if fault != nil {
					fault.Line, wrong = lines.Number, fault
				}
				if !yield(*record, wrong) {
					return
				}
			}
			if in.parser == nil && in.unknown != nil && (last || in.guesses == guesses) {
				yield(Record{}, errors.New("logs.Read: "+in.unknown.Error()))
				return
			}
			if last {
				return
			}
		}
	}
}

// parser reads the lines of a format. It returns false for a header. A record that can be used in
// spite of a fault has a time.
type parser interface {
	parse(r *Record, line string) (is bool, fault *LineError)
}

// reading is a log that is read.
type reading struct {
	format  Format
	parser  parser     // nil: not known yet
	unknown *LineError // why not
	guesses int
}

// line reads a line into a record. It returns false if there is none in it.
func (in *reading) line(r *Record, line []byte) (is bool, fault *LineError) {
	if len(line) > logline.Longest {
		return true, &LineError{Reason: "the line is longer than 1 MiB"}
	}
	line = clean(line) // also what begins at the end of a buffer
	for len(line) > 0 && line[len(line)-1] <= ' ' {
		line = line[:len(line)-1]
	}
	if len(line) == 0 {
		return false, nil
	}
	text := string(line)
	if in.parser == nil {
		if in.parser, in.unknown = in.format.parser(text); in.unknown != nil {
			in.guesses++
			return true, in.unknown
		}
	}
	return in.parser.parse(r, text)
}

// plain returns what a compressed log holds.
func plain(r *bufio.Reader) (*bufio.Reader, error) {
	switch magic, _ := r.Peek(4); {
	case bytes.HasPrefix(magic, []byte{0x1f, 0x8b}):
		unzipped, err := gzip.NewReader(r)
		if err != nil {
			return nil, err
		}
		return bufio.NewReaderSize(unzipped, peeked), nil
	case bytes.Equal(magic, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		return nil, errors.New("the input is compressed by zstd: decompress it first")
	}
	return r, nil
}

const byteOrderMark = "\ufeff"

// clean takes NULs and a byte order mark off the beginning of a line.
func clean(line []byte) []byte {
	for len(line) > 0 && (line[0] == 0 || line[0] == byteOrderMark[0]) {
		rest := bytes.TrimPrefix(bytes.TrimLeft(line, "\x00"), []byte(byteOrderMark))
		if len(rest) == len(line) {
			break
		}
		line = rest
	}
	return line
}
