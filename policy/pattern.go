package policy

import (
	"path"
	"strings"
)

// pattern is a compiled pattern of [Rule.Match]. It matches what a [net/http.ServeMux] with no
// other pattern would serve; but not what that only redirects to a path with a slash at the end:
// "/a/" is not for "/a".
//
// It allocates nothing. Most patterns are decided by a comparison with their prefix.
type pattern struct {
	gate
	method   string // of otherMethod; "": all
	prefix   string // the literals it begins with, as they are in a path without escapes: "/v1/users"
	segments []segment
	after    int // how many segments are in the prefix
}

// gate is the first look at a pattern, which decides about most.
type gate struct {
	methods methods
	end     int32 // of the prefix, which must end where a segment of a plain path does; -1: it is open
}

// methods is a set of them, as bits, for strings take longer to compare.
type methods uint16

const otherMethod methods = 1 << 9

// methodBit returns the bit of a method. All that are not of RFC 9110 or PATCH share one.
func methodBit(method string) methods {
	switch method {
	case "GET":
		return 1 << 0
	case "HEAD":
		return 1 << 1
	case "POST":
		return 1 << 2
	case "PUT":
		return 1 << 3
	case "PATCH":
		return 1 << 4
	case "DELETE":
		return 1 << 5
	case "CONNECT":
		return 1 << 6
	case "OPTIONS":
		return 1 << 7
	case "TRACE":
		return 1 << 8
	}
	return otherMethod
}

// segment is a part of a pattern between slashes.
type segment struct {
	kind kind
	text string // of a literal, unescaped
}

type kind int

const (
	literal kind = iota
	slash        // {$}: nothing but the slash at the end of the path
	wild         // {name}: any segment
	rest         // {name...} or a slash at the end: whatever comes, also nothing
)

// target is what patterns are matched with: prepared once for all of them.
type target struct {
	bit          methods
	method, path string
	plain        bool // the path has no escapes
}

// newTarget returns the target for a method and an escaped path. As a ServeMux does it, the path is
// cleaned of empty segments, "." and ".."; else a rule could be evaded, or an exemption got, by
// "//v1/" or "/health/../v1/". Only then it allocates. Escapes are left alone, so "%2e%2e" is a
// name like any other. A path that does not begin with a slash matches nothing.
func newTarget(method, escaped string) target {
	if !strings.HasPrefix(escaped, "/") {
		return target{}
	}
	t := target{methodBit(method), method, escaped, true}
	clean := true
	last := byte(0)
	for i := range len(escaped) { // one look at each byte costs less than to search three times
		c := escaped[i]
		if last == '/' && (c == '/' || c == '.') {
			clean = false
		}
		if c == '%' {
			t.plain = false
		}
		last = c
	}
	if !clean {
		t.path = path.Clean(escaped)
		if last == '/' && t.path != "/" {
			t.path += "/"
		}
		t.plain = strings.IndexByte(t.path, '%') < 0 // what was cleaned away does not count
	}
	return t
}

// rejects reports whether the pattern is not for the target at the first look.
func (g gate) rejects(t *target) bool {
	end := int(g.end)
	return end >= 0 && (g.methods&t.bit == 0 || t.plain && (end > len(t.path) || end < len(t.path) && t.path[end] != '/'))
}

// match reports whether the pattern is for the target.
func (p *pattern) match(t *target) bool {
	if p.rejects(t) || p.method != "" && p.method != t.method {
		return false
	}
	path, segments := t.path, p.segments
	// The prefix has no escapes and ends with a whole segment. So it stands for the same literals
	// where a path begins with it, and in a plain path nothing else does.
	if end := len(p.prefix); end <= len(path) && (end == len(path) || path[end] == '/') && path[:end] == p.prefix {
		path, segments = path[end:], segments[p.after:]
	} else if t.plain {
		return false
	}
	for i := range segments {
		if path == "" {
			return false
		}
		s := &segments[i]
		if s.kind == rest {
			return true
		}
		name := path[1:]
		path = ""
		if end := strings.IndexByte(name, '/'); end >= 0 {
			name, path = name[:end], name[end:]
		}
		if !s.matches(name, path == "", t.plain) {
			return false
		}
	}
	return path == "" && t.path != ""
}

// matches reports whether a segment other than rest is for a name, which may be the last one. It
// takes an escaped slash for {$}, as a ServeMux does.
func (s *segment) matches(name string, last, plain bool) bool {
	switch {
	case s.kind == literal:
		return plain && name == s.text || !plain && unescapes(name, s.text)
	case s.kind == slash && name == "":
		return last
	case plain || name == "":
		return s.kind == wild && name != ""
	default:
		return unescapes(name, "/") == (s.kind == slash)
	}
}

// unescapes reports whether an escaped name is text. A name with a wrong escape is text as it is.
func unescapes(name, text string) bool {
	if strings.IndexByte(name, '%') < 0 {
		return name == text
	}
	same, at := true, 0 // so far, how much of text
	for i := 0; i < len(name); i++ {
		c := name[i]
		if c == '%' {
			if i+2 >= len(name) || !isHex(name[i+1]) || !isHex(name[i+2]) {
				return name == text
			}
			c = unhex(name[i+1])<<4 | unhex(name[i+2])
			i += 2
		}
		same = same && at < len(text) && text[at] == c
		at++
	}
	return same && at == len(text)
}

func isHex(c byte) bool { return strings.IndexByte("0123456789abcdefABCDEF", c) >= 0 }

func unhex(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return c&^0x20 - 'A' + 10
}
