package simulate

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
	"strconv"
	"strings"
	"time"

	"github.com/seed-3506548a/ratelimit/internal/identity"
)

// Entry is a line of an access log in the Common or the Combined Log Format.
type Entry struct {
	Host string // name or address of the client
	User string // "" if not authenticated
	At   time.Time

	// Of the request line; if that is not of the form "GET / HTTP/1.1", Target is the whole of it,
	// and the other two are "".
	Method, Target, Protocol string

	Status  int
	Size    int64  // bytes of the answer; 0 if the log says "-"
	Referer string // "" in the Common Log Format, and if the log says "-"
	Agent   string // likewise
}

const longestLine = 1 << 20

// ReadLog reads an access log, a line at a time. It can be run through as often as r can be read.
//
//	192.0.2.1 - bob [02/Mar/2026:08:00:08 +0000] "GET /movies HTTP/1.1" 200 512
//	192.0.2.1 - - [02/Mar/2026:08:00:09 +0000] "GET / HTTP/1.1" 200 99 "http://example.com/" "Mozilla/5.0"
//
// These are the Common and the Combined Log Format of Apache httpd, also written by nginx. In
// quotes, \" \\ \n \t \xhh and the like are read as what they stand for. Empty lines are skipped,
// and columns after those ignored. What else is not of this form comes as an error that says the
// line's number and what is wrong; the next line is read all the same. So does an error of r, and a
// line longer than 1 MiB, which are the end.
//
// It panics if r is nil.
func ReadLog(r io.Reader) iter.Seq2[Entry, error] {
	if identity.IsNil(r) {
		panic("simulate.ReadLog: r is nil, want a reader")
	}
	return func(yield func(Entry, error) bool) {
		source := &failing{Reader: r}
		lines := bufio.NewScanner(source)
		lines.Buffer(nil, longestLine)
		lines.Split(func(data []byte, atEOF bool) (int, []byte, error) {
			advance, token, err := bufio.ScanLines(data, atEOF)
			if atEOF && source.err != nil && advance == len(data) && !bytes.HasSuffix(data, []byte("\n")) {
				return 0, nil, source.err // the line is not whole
			}
			return advance, token, err
		})
		number := 0
		for lines.Scan() {
			number++
			line := strings.TrimSpace(lines.Text())
			if line == "" {
				continue
			}
			e, err := parse(line)
			if err != nil {
				err = fmt.Errorf("simulate.ReadLog: line %d: %w", number, err)
			}
			if !yield(e, err) {
				return
			}
		}
		switch err := lines.Err(); {
		case errors.Is(err, bufio.ErrTooLong):
			yield(Entry{}, fmt.Errorf("simulate.ReadLog: line %d: it is longer than 1 MiB: %w", number+1, err))
		case err != nil:
			yield(Entry{}, fmt.Errorf("simulate.ReadLog: line %d: %w", number+1, err))
		}
	}
}

// failing remembers the error that ended a reader, if it is not its end.
type failing struct {
	io.Reader
	err error
}

func (f *failing) Read(p []byte) (n int, err error) {
	n, err = f.Reader.Read(p)
	if err != nil && err != io.EOF {
		f.err = err
	}
	return n, err
}

// clockFormat is that of the time between the brackets.
const clockFormat = "02/Jan/2006:15:04:05 -0700"

func parse(line string) (e Entry, err error) {
	client, rest, ok := strings.Cut(line, " [")
	who := strings.SplitN(client, " ", 3)
	if !ok || len(who) < 3 || strings.HasPrefix(who[2], "- ") { // that would be a host in front
		return Entry{}, fmt.Errorf("it begins with %.64q, want host, identity, user and [time]", line)
	}
	e.Host, e.User = who[0], absent(who[2])
	stamp, rest, ok := strings.Cut(rest, "] ")
	if e.At, err = time.Parse(clockFormat, stamp); !ok || err != nil || len(stamp) != len(clockFormat) {
		return Entry{}, fmt.Errorf("time is %.64q, want one as in [%s]", stamp, clockFormat)
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
	e.Referer, e.Agent = absent(referer), absent(agent)
	return e, nil
}

// quoted cuts a text in quotes, and the space behind it, off s.
func quoted(s string) (text, rest string, ok bool) {
	if !strings.HasPrefix(s, `"`) {
		return "", s, false
	}
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			rest, spaced := strings.CutPrefix(s[i+1:], " ")
			if rest != "" && !spaced {
				return "", s, false
			}
			return unescaped(s[:i+1]), rest, true
		}
	}
	return "", s, false
}

func digits(s string) bool { return strings.Trim(s, "0123456789") == "" }

// unescaped returns what is in the quotes; as it is, if an escape means nothing.
func unescaped(s string) string {
	inside := s[1 : len(s)-1]
	if !strings.Contains(inside, `\`) {
		return inside
	}
	if text, err := strconv.Unquote(s); err == nil {
		return text
	}
	return inside
}

// absent returns "" for what the log says - for.
func absent(s string) string {
	if s == "-" {
		return ""
	}
	return s
}
