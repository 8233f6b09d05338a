package logs

import (
	"net/netip"
	"strconv"
	"strings"

	"github.com/seed-3506548a/ratelimit/internal/logline"
)

// access reads the Common and the Combined Log Format.
type access struct{ stamps stamps }

const hostLetters = "abcdefghijklmnopqrstuvwxyz0123456789-_."

const wantClient = "host, identity, user and [time], perhaps behind a virtual host"

func (a *access) parse(r *Record, line string) (is bool, wrong *LineError) {
	client, rest, ok := logline.CutClient(line)
	if !ok || !a.client(r, client) {
		if client, rest, ok = logline.CutClient(withoutPrefix(line)); !ok || !a.client(r, client) {
			return true, fault("the line does not begin as one of an access log", line, wantClient)
		}
	}
	stamp, rest, _ := logline.Cut(rest, ']')
	at, read := a.stamps.clf(stamp)
	if !read {
		at, read = a.stamps.any(stamp)
	}
	if wrong = r.stamp(at, read, stamp); wrong != nil {
		return true, wrong
	}
	r.Count, r.bracketed = 1, true
	return true, a.response(r, strings.TrimPrefix(rest, " "))
}

// client reads host, identity and user: "192.0.2.1 - bob".
func (a *access) client(r *Record, text string) bool {
	r.vhost = ""
	if !logline.Printable(text) {
		return false
	}
	first, rest, ok := logline.Cut(text, ' ')
	for strings.HasSuffix(first, ",") && ok { // each proxy adds an address: the first is the client's
		if !isAddress(strings.TrimSuffix(first, ",")) {
			return false
		}
		var next string
		if next, rest, ok = logline.Cut(rest, ' '); !isAddress(strings.TrimSuffix(next, ",")) {
			return false
		}
		if !strings.HasSuffix(next, ",") {
			first = strings.TrimSuffix(first, ",")
			break
		}
	}
	if i := strings.IndexByte(first, ','); i >= 0 { // without spaces
		for one := range strings.SplitSeq(first, ",") {
			if !isAddress(one) {
				return false
			}
		}
		first = first[:i]
	}
	identity, user, more := logline.Cut(rest, ' ')
	if ok && more && isAddress(identity) && !isAddress(first) && isHostName(first) {
		r.vhost, first = first, identity
		identity, user, more = logline.Cut(user, ' ')
	}
	if !ok || !more || first == "" || user == "" || strings.HasSuffix(first, ":") || logline.Prefixed(identity, user) {
		return false // else a user "- 192.0.2.1 - -" would be one, behind what another program has written
	}
	r.Host, r.User = first, logline.Absent(user)
	r.ident = logline.Absent(identity)
	return true
}

// response reads what follows the time. What cannot be read is left out.
func (a *access) response(r *Record, rest string) *LineError {
	request, rest, ok := logline.Quoted(rest)
	if !ok {
		return fault("there is no request in quotes after the time", rest, `one as "GET / HTTP/1.1"`)
	}
	r.Target = request
	method, target, _ := logline.Cut(request, ' ')
	target, protocol, _ := logline.Cut(target, ' ')
	if target != "" && strings.HasPrefix(protocol, "HTTP/") && !strings.Contains(protocol, " HTTP/") {
		r.Method, r.Target, r.protocol = method, target, protocol
	}
	status, rest, _ := logline.Cut(strings.TrimPrefix(rest, " "), ' ')
	code, err := strconv.Atoi(status)
	if err != nil || len(status) != 3 || code < 100 {
		if status == "-" {
			return nil
		}
		return fault("the status cannot be read", status, "three digits")
	}
	r.Status, r.rest = code, rest
	return nil
}

// column returns what an access log has behind the status: size, referer, agent, column1 and so on.
// It is only looked for when it is asked for.
func (r *Record) column(name string) string {
	if name != "size" && name != "referer" && name != "agent" && !strings.HasPrefix(name, "column") {
		return ""
	}
	size, rest, _ := logline.Cut(r.rest, ' ')
	if name == "size" {
		return logline.Absent(size)
	}
	known := []string{"referer", "agent"}
	for n := -1; rest != ""; n++ {
		text, after, ok := logline.Quoted(rest)
		if ok {
			after = strings.TrimPrefix(after, " ")
		} else {
			text, after, _ = logline.Cut(rest, ' ')
		}
		if n+1 < len(known) && known[n+1] == name || n > 0 && "column"+strconv.Itoa(n) == name {
			return logline.Absent(text)
		}
		rest = after
	}
	return ""
}

func (r *Record) set(name, value string) {
	if r.names == nil {
		r.names, r.values = make([]string, 0, 4), make([]string, 0, 4)
	}
	r.names, r.values = append(r.names, name), append(r.values, value)
}

func isAddress(s string) bool {
	if s == "" || s[0] > 'f' || strings.IndexByte(s, '.') < 0 && strings.IndexByte(s, ':') < 0 {
		return false
	}
	_, err := netip.ParseAddr(s)
	return err == nil
}

// isHostName reports whether s is a name, or a name and a port.
func isHostName(s string) bool {
	name, port, ok := logline.Cut(s, ':')
	return name != "" && strings.Trim(strings.ToLower(name), hostLetters) == "" && (!ok || port != "" && strings.Trim(port, "0123456789") == "")
}
