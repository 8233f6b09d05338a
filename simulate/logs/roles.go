package logs

import (
	"net/netip"
	"strconv"
	"strings"
	"unicode"

	"github.com/seed-3506548a/ratelimit/internal/logline"
)

// roles are the columns that mean the same in every log, with the names that they go by, the best
// first: when a request began is better than when it ended, and the client's address better than
// that of a proxy.
var roles = []struct {
	role  string
	names []string
}{
	{"time", []string{"time", "startutc", "start_time", "msec", "ts", "timestamp", "@timestamp", "time_iso8601", "time_local", "datetime", "date", "created_at", "at", "t"}},
	{"host", []string{"request.client_ip", "request.remote_ip", "request.remote_addr", "clienthost", "remote_addr", "client_ip", "clientip", "client_addr", "remote_ip", "ip", "host"}},
	{"user", []string{"user", "user_id", "remote_user", "clientusername", "username", "userid", "uid"}},
	{"method", []string{"method", "request.method", "requestmethod", "request_method", "verb"}},
	{"target", []string{"target", "request.uri", "requestpath", "request_uri", "uri", "path", "url"}},
	{"status", []string{"status", "downstreamstatus", "status_code", "code"}},
	{"request", []string{"request"}}, // "GET / HTTP/1.1"
	{"count", []string{"count", "requests", "hits", "n"}},
}

const (
	roleTime = iota
	roleHost
	roleUser
	roleMethod
	roleTarget
	roleStatus
	roleRequest
	roleCount
	roleN
)

// found are the places of the roles among the columns of a log; -1: there is none.
type found [roleN]int

// find finds the roles among names. What the format names is taken, whatever else there is.
func (f Format) find(names []string) (places found) {
	for i, r := range roles {
		places[i] = -1
		if column, ok := f.Columns[r.role]; ok {
			for j, name := range names {
				if name == column {
					places[i] = j
				}
			}
			continue
		}
	search:
		for _, known := range r.names {
			if i == roleTime && known == "time" && len(names) > 0 {
				for j, name := range names { // Traefik's time is when it wrote the line
					if strings.EqualFold(name, "startutc") {
						places[i] = j
						break search
					}
				}
			}
			for j, name := range names {
				if strings.EqualFold(name, known) {
					places[i] = j
					break search
				}
			}
		}
	}
	return places
}

// fill sets what a record has of the roles, and returns what is wrong first.
func (r *Record) fill(s *stamps, places *found) *LineError {
	r.know(*places)
	value := func(role int) string {
		if places[role] < 0 || places[role] >= len(r.values) {
			return ""
		}
		return logline.Absent(strings.TrimSpace(r.values[places[role]]))
	}
	text := value(roleTime)
	at, ok := s.any(text)
	if wrong := r.stamp(at, ok, text); wrong != nil {
		return wrong
	}
	var wrong *LineError
	r.Host, ok = client(value(roleHost))
	if !ok {
		wrong = fault("the host cannot be read", value(roleHost), "an address, or several and commas between them")
	}
	r.User, r.Method, r.Target, r.Count = value(roleUser), value(roleMethod), value(roleTarget), 1
	if words := strings.Split(value(roleRequest), " "); len(words) == 3 {
		if r.Method == "" {
			r.Method = words[0]
		}
		if r.Target == "" {
			r.Target = words[1]
		}
	}
	if status := value(roleStatus); status != "" {
		code, err := strconv.Atoi(status)
		if err != nil || code < 0 || code > 999 {
			return fault("the status cannot be read", status, "three digits")
		}
		r.Status = code
	}
	return wrong
}

// know takes note of the roles that are found.
func (r *Record) know(places found) {
	for i, place := range places {
		r.roles[i] = r.roles[i] || place >= 0
	}
}

// client returns the address of a client: without its port, and of several, as proxies add theirs,
// the first.
func client(text string) (host string, ok bool) {
	if strings.IndexByte(text, ',') >= 0 {
		all := strings.Split(text, ",")
		for _, one := range all {
			if !isAddress(strings.TrimSpace(one)) {
				return "", false
			}
		}
		text = strings.TrimSpace(all[0])
	}
	if port, err := netip.ParseAddrPort(text); err == nil {
		return port.Addr().String(), true
	}
	if strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || !unicode.IsPrint(r) }) {
		return "", false
	}
	return text, true
}
