package policy

import (
	"net/url"
	"strings"
	"unicode"
)

// compilePattern returns the pattern, or what would be right. It refuses what a ServeMux does,
// hosts, and what would match nothing, or not what its author had in mind.
func compilePattern(s string) (p pattern, want string) {
	method, path, found := strings.Cut(s, " ")
	if !found {
		method, path = "", s
	}
	switch {
	case found && (method == "" || strings.Trim(method, capitals+digits+"-_") != ""):
		return p, `one method in capitals and a space before the path, as in "GET /letters"; another pattern for another method`
	case !strings.HasPrefix(path, "/"):
		return p, `a path that begins with a slash, as in "/v1/", or a method and a path, as in "GET /letters/{id}"; no host`
	case strings.ContainsAny(path, "?#"):
		return p, "a path without a query or a fragment; as a part of a name, ? is %3F and # is %23"
	case strings.ContainsFunc(path, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }):
		return p, "a path without spaces and control characters; as a part of a name, a space is %20"
	}
	switch p.methods = methodBit(method); {
	case method == "":
		p.methods = ^methods(0)
	case method == "GET":
		p.methods |= methodBit("HEAD")
	case p.methods == otherMethod:
		p.method = method
	}
	seen := map[string]bool{}
	var prefix strings.Builder
	names := strings.Split(path[1:], "/")
	for i, name := range names {
		s, want := compileSegment(name, i == len(names)-1)
		if want == "" && (s.kind == wild || s.kind == rest && s.text != "") && seen[s.text] {
			want = "names in braces that differ"
		}
		if want != "" {
			return p, want
		}
		if s.kind != literal {
			seen[s.text] = true
		} else if p.after == i && !strings.ContainsAny(s.text, "/%") {
			prefix.WriteString("/" + s.text)
			p.after++
		}
		p.segments = append(p.segments, s)
	}
	p.prefix = prefix.String()
	p.end = int32(len(p.prefix))
	return p, ""
}

// compileSegment returns the segment, with the name of a wildcard as its text, or what would be
// right.
func compileSegment(name string, last bool) (s segment, want string) {
	inner, isWild := strings.CutPrefix(name, "{")
	inner, closed := strings.CutSuffix(inner, "}")
	inner, isRest := strings.CutSuffix(inner, "...")
	text, err := url.PathUnescape(name)
	switch {
	case name == "" && last:
		return segment{kind: rest}, ""
	case name == "" || name == "." || name == "..":
		return s, `a path without empty segments, "." and "..", as those of requests are cleaned of them`
	case name == "{$}" && last:
		return segment{kind: slash}, ""
	case name == "{$}":
		return s, "{$} at the end only"
	case strings.ContainsAny(name, "{}") && (!isWild || !closed || !isIdentifier(inner)):
		return s, "in braces a name for the whole of a segment: {id}, or {path...} for the rest, or {$} for the slash at the end"
	case isWild && isRest && !last:
		return s, "{" + inner + "...} at the end only"
	case isWild && isRest:
		return segment{rest, inner}, ""
	case isWild:
		return segment{wild, inner}, ""
	case strings.Contains(name, "*"):
		return s, "{name} for any segment, or a slash at the end for everything below; as a part of a name, * is %2A"
	case name[0] == ':':
		return s, "{" + name[1:] + "} for any segment; as the begin of a name, : is %3A"
	case err != nil:
		return s, "two hexadecimal digits after each %, which itself is %25"
	case text == "/":
		return s, "no segment that is an escaped slash, which a ServeMux takes for {$}"
	}
	return segment{literal, text}, ""
}

// isIdentifier reports whether s is written as a name in Go.
func isIdentifier(s string) bool {
	for i, r := range s {
		if r != '_' && !unicode.IsLetter(r) && (i == 0 || !unicode.IsDigit(r)) {
			return false
		}
	}
	return s != ""
}
