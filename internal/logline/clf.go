package logline

import (
	"strconv"
	"strings"
	"unicode"
)

// Stamp is the layout of the time between the brackets.
const Stamp = "02/Jan/2006:15:04:05 -0700"

// CutClient cuts a line before the time in brackets: host, identity and user come before it. A user
// may have brackets too, and the client chooses it. So the time is what is in the last brackets
// before the request in quotes. Without quotes there must be no others.
func CutClient(line string) (client, rest string, ok bool) {
	head, _, quoted := strings.Cut(line, `] "`)
	i := lastOpening(head)
	if i < 0 || !quoted && strings.Index(head, " [") != i {
		return line, "", false
	}
	return line[:i], line[i+2:], true
}

// lastOpening returns the place of the last " [", or -1.
func lastOpening(s string) int {
	for i := strings.LastIndexByte(s, '['); i > 0; i = strings.LastIndexByte(s[:i], '[') {
		if s[i-1] == ' ' {
			return i - 1
		}
	}
	return -1
}

// Cut is [strings.Cut] by a byte, which takes fewer steps.
func Cut(s string, sep byte) (before, after string, found bool) {
	if i := strings.IndexByte(s, sep); i >= 0 {
		return s[:i], s[i+1:], true
	}
	return s, "", false
}

// Prefixed reports whether host, identity and user come after something else. Then the identity,
// which nearly all servers log as -, is in what looks like the user. So is what programs write in
// brackets before a line.
func Prefixed(identity, user string) bool {
	return identity == "" || identity[0] == '[' || identity != "-" && strings.HasPrefix(user, "[") ||
		strings.IndexByte(user, ' ') >= 0 && strings.Contains(" "+user+" ", " - ")
}

// Printable reports whether there are no control characters and the like in a text.
func Printable(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] == 0x7f {
			return false
		}
		if s[i] >= 0x80 {
			return !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
		}
	}
	return true
}

// Quoted cuts a text in quotes off s. Escapes such as \" \\ \n \t \xhh in it are replaced by what
// they stand for; if one means nothing, all stay.
func Quoted(s string) (text, rest string, ok bool) {
	if !strings.HasPrefix(s, `"`) {
		return "", s, false
	}
	end := strings.IndexByte(s[1:], '"') + 1
	if end == 0 {
		return "", s, false
	}
	escape := strings.IndexByte(s[1:end], '\\') + 1
	if escape == 0 {
		return s[1:end], s[end+1:], true
	}
	for i := escape; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			if text, err := strconv.Unquote(s[:i+1]); err == nil {
				return text, s[i+1:], true
			}
			return s[1:i], s[i+1:], true
		}
	}
	return "", s, false
}

// Absent returns "" for what a log says - for.
func Absent(s string) string {
	if s == "-" {
		return ""
	}
	return s
}
