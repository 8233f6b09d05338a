package logs

import (
	"slices"
	"strings"
)

// withoutPrefix takes off what other programs have put before a line: colours, the service of
// docker compose, and what syslog writes, in this order and the other.
func withoutPrefix(line string) string {
	for range 4 {
		rest := strings.TrimLeft(line, " \t")
		switch {
		case strings.HasPrefix(rest, "\x1b["):
			if end := strings.IndexAny(rest, "mK"); end > 0 && strings.Trim(rest[2:end], "0123456789;") == "" {
				rest = rest[end+1:]
			}
		default:
			if after, ok := afterService(rest); ok {
				rest = after
			} else if after, ok := afterSyslog(rest); ok {
				rest = after
			}
		}
		if rest == line {
			return line
		}
		line = rest
	}
	return line
}

// afterService returns what follows "web-1  | ".
func afterService(line string) (rest string, ok bool) {
	name, rest, ok := strings.Cut(line, " | ")
	if !ok || name == "" || len(name) > 64 || strings.ContainsAny(strings.TrimRight(name, " "), " \t[]\"{}") {
		return line, false
	}
	return rest, true
}

// afterSyslog returns what follows "Mar  2 08:00:01 web nginx[12]: ", or the same with a time of
// RFC 3339, with or without a priority in angle brackets.
func afterSyslog(line string) (rest string, ok bool) {
	rest = line
	if strings.HasPrefix(rest, "<") {
		if end := strings.IndexByte(rest, '>'); end > 0 && end < 6 {
			rest = rest[end+1:]
		}
	}
	switch {
	case len(rest) > 16 && rest[3] == ' ' && rest[6] == ' ' && rest[9] == ':' && rest[12] == ':' && rest[15] == ' ' && isMonth(rest[:3]):
		rest = rest[16:]
	case len(rest) > 20 && rest[4] == '-' && rest[7] == '-' && rest[10] == 'T' && rest[13] == ':':
		_, rest, ok = strings.Cut(rest, " ")
		if !ok {
			return line, false
		}
	default:
		return line, false
	}
	head, after, ok := strings.Cut(rest, ": ") // "web nginx[12]", or "nginx"
	if !ok || len(head) > 128 || strings.Count(head, " ") > 1 || strings.ContainsAny(head, "\"{") || head == "" {
		return line, false
	}
	return after, true
}

func isMonth(s string) bool {
	return slices.Contains([]string{"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"}, s)
}
