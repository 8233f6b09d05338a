package httplimit

import (
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// ClientIP returns the address that a request comes from, without port and zone: 192.0.2.1 or
// 2001:db8::1, and 192.0.2.1 for ::ffff:192.0.2.1. It is that of the peer,
// [net/http.Request.RemoteAddr], and missing if that is no address, as with a Unix socket.
//
// Only if the peer is in a trusted network, X-Forwarded-For is read: from the right, where each
// proxy adds the address of its own peer, to the first that is not trusted. What stands to the
// left of that is the client's word, and is not looked at. If all are trusted, the leftmost counts;
// if something is no address, the one to the right of it. X-Real-IP, Forwarded and others are never
// read.
//
// With nobody trusted, a server behind a proxy takes all clients for one: [Middleware] reports it
// to [OnError] when it comes across X-Forwarded-For. Trusting more than your own proxies lets
// everybody choose an address.
func ClientIP(trusted ...netip.Prefix) Attribute {
	networks := slices.Clone(trusted)
	for i, n := range networks {
		if n.IsValid() && n.Addr().Is4In6() && n.Bits() >= 96 {
			networks[i] = netip.PrefixFrom(n.Addr().Unmap(), n.Bits()-96)
		} else if !n.IsValid() || n.Addr().Is4In6() {
			return invalid("httplimit.ClientIP", fmt.Sprintf("trusted[%d]", i), n, "the prefix of a network, as in 10.0.0.0/8")
		}
	}
	isTrusted := func(addr netip.Addr) bool {
		return slices.ContainsFunc(networks, func(n netip.Prefix) bool { return n.Contains(addr) })
	}
	return func(r *http.Request) (string, bool) {
		peer, text, ok := parsePeer(r.RemoteAddr)
		if !ok {
			return "", false
		}
		if forwarded := r.Header["X-Forwarded-For"]; len(forwarded) > 0 {
			if len(networks) == 0 {
				if p := probing(r); p != nil {
					p.trustsNobody = true
				}
			} else if isTrusted(peer) {
				return walk(peer, forwarded, isTrusted).String(), true
			}
		}
		return inWords(peer, text), true
	}
}

// walk returns the last address, from the right, that is not trusted, or else the last there is.
func walk(last netip.Addr, values []string, isTrusted func(netip.Addr) bool) netip.Addr {
	for _, rest := range slices.Backward(values) {
		for more := true; more; {
			var hop string
			comma := strings.LastIndexByte(rest, ',')
			hop, more = rest[comma+1:], comma >= 0
			rest = rest[:max(comma, 0)]
			addr, ok := parseHop(hop)
			if !ok {
				return last
			}
			if last = addr; !isTrusted(addr) {
				return last
			}
		}
	}
	return last
}

// parsePeer parses what a server has put into RemoteAddr, mostly with a port. text is the address
// as it is there.
func parsePeer(remote string) (addr netip.Addr, text string, ok bool) {
	text = remote
	if colon := strings.LastIndexByte(remote, ':'); colon > 0 && (remote[colon-1] == ']' || strings.IndexByte(remote, ':') == colon) {
		text = strings.TrimSuffix(strings.TrimPrefix(remote[:colon], "["), "]")
	}
	addr, err := netip.ParseAddr(text)
	return plain(addr), text, err == nil
}

// longestHop is more than an address with a zone and a port has.
const longestHop = 128

// parseHop parses an element of X-Forwarded-For: an address, or one with a port, as some proxies
// write it.
func parseHop(hop string) (netip.Addr, bool) {
	hop = strings.Trim(hop, " \t")
	if len(hop) > longestHop {
		return netip.Addr{}, false
	}
	if addr, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(hop, "["), "]")); err == nil {
		return plain(addr), strings.HasPrefix(hop, "[") == strings.HasSuffix(hop, "]")
	}
	with, err := netip.ParseAddrPort(hop)
	return plain(with.Addr()), err == nil
}

// plain returns the address as it is counted: without zone, and as IPv4 if it is one.
func plain(addr netip.Addr) netip.Addr { return addr.WithZone("").Unmap() }

// inWords returns the address as a text, and allocates nothing if that is as it was given. IPv4 is:
// it can be written in one way only, unless it is mapped.
func inWords(addr netip.Addr, given string) string {
	if addr.Is4() && strings.IndexByte(given, ':') < 0 {
		return given
	}
	var buffer [48]byte
	text := addr.AppendTo(buffer[:0])
	if string(text) == given {
		return given
	}
	return string(text)
}
