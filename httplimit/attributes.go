package httplimit

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/netip"
	"strings"

	"github.com/seed-3506548a/ratelimit"
)

// Attribute returns what a request is counted by: its user, its address, its token. If the
// request has none, the attribute is missing: ok is false, or the value is empty. It is called once
// for each request, by many goroutines at once, and must not read the body.
//
// An Attribute that was made of invalid arguments is always missing, and [Middleware] and
// [PerKey] return the [*ratelimit.ArgumentError] when they are called with it.
type Attribute func(*http.Request) (value string, ok bool)

// Attributes are attributes by the names that a policy has for them.
type Attributes map[string]Attribute

// Header returns the value of a request's header field: of at most 256 bytes, all of them printable
// ASCII, without the spaces around it. It is missing if the request has none, an empty one, one
// that is longer or has other bytes, or several.
//
// A client writes there what it wants. So count by it only what has been authenticated before, or
// what gains nothing by a made-up value.
func Header(name string) Attribute {
	key := http.CanonicalHeaderKey(name)
	if !isToken(name) || key == "Host" {
		return invalid("httplimit.Header", "name", name, "the name of a header field, other than Host")
	}
	return func(r *http.Request) (string, bool) {
		values := r.Header[key]
		if len(values) != 1 {
			return "", false
		}
		value := strings.Trim(values[0], " \t")
		if value == "" || len(value) > longestValue || !isPrintable(value) {
			return "", false
		}
		return value, true
	}
}

const longestValue = 256

func isPrintable(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// isToken reports whether s is a token as of RFC 9110, such as the name of a header field.
func isToken(s string) bool {
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c > '~' || strings.IndexByte(`"(),/:;<=>?@[\]{}`, c) >= 0 {
			return false
		}
	}
	return s != ""
}

// Prefix returns the network that an address is in, of so many bits: Prefix(24, 64) makes
// 192.0.2.0/24 of 192.0.2.1, and 2001:db8::/64 of 2001:db8::1. A client with IPv6 mostly has a /64
// at least, so counting its addresses one by one limits nobody. If the value is no address, the
// attribute is missing.
func (a Attribute) Prefix(v4, v6 int) Attribute {
	const fn = "httplimit.Attribute.Prefix"
	switch {
	case a == nil:
		return invalid(fn, "attribute", nil, "an attribute")
	case v4 < 0 || v4 > 32:
		return invalid(fn, "v4", v4, "0 to 32")
	case v6 < 0 || v6 > 128:
		return invalid(fn, "v6", v6, "0 to 128")
	}
	return func(r *http.Request) (string, bool) {
		value, ok := a(r)
		if !ok {
			return "", false
		}
		addr, err := netip.ParseAddr(value)
		if err != nil {
			return "", false
		}
		addr = plain(addr)
		bits := v4
		if addr.Is6() {
			bits = v6
		}
		network, err := addr.Prefix(bits)
		if err != nil {
			return "", false
		}
		return network.String(), true
	}
}

// Hash returns the SHA-256 of the value, in 64 hexadecimal digits: so tokens and keys are not in
// the memory of limiters and not in logs. It hides what cannot be guessed, such as a token, but not
// a name or an address.
func (a Attribute) Hash() Attribute {
	if a == nil {
		return invalid("httplimit.Attribute.Hash", "attribute", nil, "an attribute")
	}
	return func(r *http.Request) (string, bool) {
		value, ok := a(r)
		if !ok || value == "" {
			return "", false
		}
		sum := sha256.Sum256([]byte(value))
		return hex.EncodeToString(sum[:]), true
	}
}

// Route returns the pattern by which the mux serves the request, as in "GET /letters/{id}"; never
// the path, or each letter would be counted by itself. It is missing if no pattern matches.
func Route(mux *http.ServeMux) Attribute {
	if mux == nil {
		return invalid("httplimit.Route", "mux", nil, "a mux")
	}
	return func(r *http.Request) (string, bool) {
		_, pattern := mux.Handler(r)
		return pattern, pattern != ""
	}
}

// invalid is an attribute that was made of invalid arguments.
func invalid(fn, field string, value any, want string) Attribute {
	return func(r *http.Request) (string, bool) {
		if p := probing(r); p != nil && p.err == nil {
			p.err = &ratelimit.ArgumentError{Func: fn, Field: field, Value: value, Want: want}
		}
		return "", false
	}
}
