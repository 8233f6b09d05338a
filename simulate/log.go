package simulate

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"iter"
	"strconv"
	"strings"
	"time"

	"github.com/seed-3506548a/ratelimit/internal/identity"
	"github.com/seed-3506548a/ratelimit/internal/logline"
)

// Entry is a line of an access log in the Common or the Combined Log Format.
type Entry struct {
	Host string // name or address of the client
	User string // "" if the client is not authenticated
	At   time.Time

	// The parts of a request line such as "GET / HTTP/1.1". Of any other, Target is the whole line,
	// and Method and Protocol are "".
	Method, Target, Protocol string

	Status  int
	Size    int64  // bytes of the response; 0 if the log has "-"
	Referer string // "" if the log has "-", or is in the Common Log Format
	Agent   string // the same
}

const byteOrderMark = "\ufeff"

// ReadLog reads an access log, a line at a time. The sequence can be run through as often as r can
// be read.
//
//	192.0.2.1 - bob [02/Mar/2026:08:00:08 +0000] "GET /movies HTTP/1.1" 200 512
//	192.0.2.1 - - [02/Mar/2026:08:00:09 +0000] "GET / HTTP/1.1" 200 99 "-" "Mozilla/5.0"
//
// These are the Common and the Combined Log Format of Apache httpd, which nginx writes too. In
// quotes, escapes such as \" \\ \n \t \xhh are replaced by what they stand for. Empty lines are
// skipped, and so are a byte order mark at the beginning of a line and further columns at its end.
//
// Any other line yields an error, which has the line's number and says what is wrong. That includes
// lines longer than 1 MiB, lines with unprintable characters before the time, and lines with
// something before the host, as syslog and many container logs have it. Reading continues with the
// next line. An error of r is the last of the sequence.
//
// For lines with a prefix, JSON and tables, and for [Run], see package simulate/logs.
//
// ReadLog panics if r is nil.
func ReadLog(r io.Reader) iter.Seq2[Entry, error] {
	if identity.IsNil(r) {
		panic("simulate.ReadLog: r is nil, want a reader")
	}
	return func(yield func(Entry, error) bool) {
		lines := logline.Reader{Log: bufio.NewReader(r)}
		for {
			line, last, err := lines.Next()
			var e Entry
			switch text := strings.TrimSpace(strings.TrimPrefix(string(line), byteOrderMark)); {
			case err != nil: // the line is not whole
			case len(line) > logline.Longest:
				err = errors.New("it is longer than 1 MiB")
			case text != "":
				e, err = parse(text)
			case last:
				return
			default:
				continue // empty
			}
			if err != nil {
				err = fmt.Errorf("simulate.ReadLog: line %d: %w", lines.Number, err)
			}
			if !yield(e, err) || last {
				return
			}
		}
	}
}

func parse(line string) (e Entry, err error) {
	client, rest, ok := logline.CutClient(line)
	fields := strings.SplitN(client, " ", 3) // a user may have spaces
	if !ok || len(fields) < 3 || !logline.Printable(client) || logline.Prefixed(fields[1], fields[2]) {
		return Entry{}, fmt.Errorf("it begins with %.64q, want host, identity, user and [time]", line)
	}
	e.Host, e.User = fields[0], logline.Absent(fields[2])
	stamp, rest, ok := strings.Cut(rest, "] ")
	if e.At, err = time.Parse(logline.Stamp, stamp); !ok || err != nil || len(stamp) != len(logline.Stamp) {
		return Entry{}, fmt.Errorf("time is %.64q, want one as in [%s]", stamp, logline.Stamp)
	}
	request, rest, ok := quoted(rest)
	if !ok {
		return Entry{}, fmt.Errorf("after the time comes %.64q, want a request in quotes", rest)
	}
	e.Target = request
	if words := strings.Split(request, " "); len(words) == 3 && strings.HasPrefix(words[2], "HTTP/") {
		e.Method, e.Target, e.Protocol = words[0], words[1], words[2]
	}
	status, rest, _ := strings.Cut(rest, " ")
	if e.Status, err = strconv.Atoi(status); err != nil || len(status) != 3 || !digits(status) {
		return Entry{}, fmt.Errorf("status is %.64q, want three digits", status)
	}
	size, rest, more := strings.Cut(rest, " ")
	if e.Size, err = strconv.ParseInt(size, 10, 64); size != "-" && (err != nil || !digits(size)) {
		return Entry{}, fmt.Errorf("size is %.64q, want a number of bytes or -", size)
	}
	if !more {
		return e, nil
	}
	referer, rest, ok := quoted(rest)
	agent, _, ok2 := quoted(rest)
	if !ok || !ok2 {
		return Entry{}, fmt.Errorf("after the size comes %.64q, want referer and user agent in quotes, or nothing", rest)
	}
	e.Referer, e.Agent = logline.Absent(referer), logline.Absent(agent)
	return e, nil
}

// quoted cuts a text in quotes, and the space behind it, off s.
func quoted(s string) (text, rest string, ok bool) {
	text, rest, ok = logline.Quoted(s)
	after, spaced := strings.CutPrefix(rest, " ")
	if !ok || rest != "" && !spaced {
		return "", s, false
	}
	return text, after, true
}

func digits(s string) bool { return strings.Trim(s, "0123456789") == "" }
