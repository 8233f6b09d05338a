package httplimit

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"
)

// role is what a field of the X-RateLimit-* family says.
type role int

const (
	roleNone role = iota
	roleLimit
	roleRemaining
	roleReset
	roleResetAfter // as roleReset, and preferred, as it depends on no clock
	roleUsed
	roleName
)

var rolesOfWords = map[string]role{
	"limit": roleLimit, "remaining": roleRemaining, "reset": roleReset, "resettime": roleReset, "used": roleUsed, "observed": roleUsed,
}

// split takes a name in lower case apart: what is before ratelimit or rate-limit, and the words
// after it. X-RateLimit and X-Rate-Limit are one family, because Azure mixes them.
func split(name string) (family string, words []string, ok bool) {
	all := strings.Split(name, "-")
	for i, word := range all {
		switch {
		case word == "ratelimit":
			return strings.Join(all[:i], "-"), all[i+1:], true
		case word == "rate" && i+1 < len(all) && all[i+1] == "limit":
			return strings.Join(all[:i], "-"), all[i+2:], true
		}
	}
	return "", nil, false
}

// roleIn finds the role that the first or the last word names. The others are the limit's name:
// remaining-tokens, requests-limit.
func roleIn(words []string) (r role, name string) {
	if len(words) == 0 {
		return roleNone, ""
	}
	n := len(words)
	if n > 1 && words[n-2] == "reset" && words[n-1] == "after" {
		return roleResetAfter, strings.Join(words[:n-2], "-")
	}
	if words[0] == "reset" && n > 1 && words[1] == "after" {
		return roleResetAfter, strings.Join(words[2:], "-")
	}
	first, last := rolesOfWords[words[0]], rolesOfWords[words[n-1]]
	switch {
	case n > 1 && first != roleNone && last != roleNone:
		return roleNone, "" // it is not clear which
	case first != roleNone:
		return first, strings.Join(words[1:], "-")
	default:
		return last, strings.Join(words[:n-1], "-")
	}
}

// marks is what a response says about all limits of its header.
type marks struct {
	resource, bucket string
	global           bool
}

// marks reads the fields that say to what the limits apply. Only a bucket is said of a Retry-After,
// too: GitHub's, which comes with a resource, is about all requests.
func (f *fieldset) marks() (m marks) {
	for _, name := range f.names {
		_, words, ok := split(name)
		if !ok || len(words) != 1 || len(f.values[name]) == 0 {
			continue
		}
		value := f.values[name][0]
		switch words[0] {
		case "resource":
			m.resource = value
		case "bucket":
			m.bucket = value
		case "global":
			m.global = m.global || strings.EqualFold(value, "true")
		case "scope":
			m.global = m.global || strings.EqualFold(value, "global")
		}
	}
	return m
}

// told is the fields of one limit, by their roles.
type told struct {
	family, name string
	fields       map[role]string
}

// families reads X-RateLimit-* and its relatives.
func (f *fieldset) families(m marks) (all []Reading) {
	limits := map[string]*told{}
	add := func(family, name string, r role, value string) {
		key := family + " " + name
		if limits[key] == nil {
			limits[key] = &told{family, name, map[role]string{}}
		}
		if limits[key].fields[r] == "" {
			limits[key].fields[r] = value
		}
	}
	for _, name := range f.names {
		family, words, ok := split(name)
		value := f.list(name)
		if !ok || value == "" {
			continue
		}
		if len(words) == 1 && words[0] == "name" { // GitLab
			add(family, "", roleName, value)
		} else if r, limit := roleIn(words); r != roleNone {
			add(family, limit, r, value)
		} else if len(words) == 0 && name != "ratelimit" {
			if _, ok := parseCount(value); ok { // X-Rate-Limit: 700
				add(family, "", roleLimit, value)
			}
		}
	}
	for _, key := range slices.Sorted(maps.Keys(limits)) {
		all = append(all, f.readingsOf(limits[key], m)...)
	}
	return all
}

// readingsOf reads the fields of one limit. They may be lists: of the limit and then of all limits
// with their windows, as in the IETF's drafts, or of as many limits in the same order.
func (f *fieldset) readingsOf(t *told, m marks) (all []Reading) {
	limits, remaining := parseList(t.fields[roleLimit]), parseList(t.fields[roleRemaining])
	policyField := "ratelimit-policy"
	if t.family != "" {
		policyField = t.family + "-" + policyField
	}
	var known []quota
	if t.name == "" && f.values["ratelimit"] == nil {
		known = policies(parseList(f.list(policyField)))
	}
	count := max(len(remaining), 1)
	inStep := len(limits) == count
	if count == 1 && len(limits) > 1 && len(known) == 0 {
		known = policies(limits[1:])
	}
	for i := range count {
		r := Reading{Name: t.name, Partition: m.partition(), Limit: -1, Remaining: -1}
		for _, list := range [][]listed{limits, remaining} {
			if i < len(list) && (inStep || count == 1) {
				r.Window = max(r.Window, list[i].reading().Window)
			}
		}
		if i < len(limits) && (inStep || count == 1) {
			r.Limit, _ = countOr(limits[i].value, -1)
		}
		if i < len(remaining) {
			r.Remaining, _ = countOr(remaining[i].value, -1)
		} else if used, ok := countOr(t.fields[roleUsed], 0); ok && r.Limit >= 0 {
			r.Remaining = max(r.Limit-used, 0)
		}
		r.Reset = f.resetOf(t, i, count)
		window := r.Window
		claim(&r, known)
		r.Window = max(r.Window, window)
		if name := t.fields[roleName]; r.Name == "" {
			r.Name = name
		}
		all = append(all, r)
	}
	rest := unclaimed(known)
	for i := range rest {
		rest[i].Partition = m.partition()
	}
	return append(all, rest...)
}

func (m *marks) partition() string {
	if m.bucket != "" {
		return m.bucket
	}
	return m.resource
}

// resetOf reads the reset of the i-th of count limits.
func (f *fieldset) resetOf(t *told, i, count int) (reset time.Duration) {
	for _, r := range []role{roleResetAfter, roleReset} {
		field := t.fields[r]
		if wait, ok := parseWait(field, f.now); ok { // a date has a comma, too
			return wait
		}
		if list := parseList(field); len(list) == count {
			if wait, ok := parseWait(list[i].value, f.now); ok {
				return wait
			}
		}
	}
	return 0
}

func countOr(s string, otherwise int64) (int64, bool) {
	if n, ok := parseCount(s); ok {
		return n, true
	}
	return otherwise, false
}

// singular reads the fields that have a form of their own.
func (f *fieldset) singular() (all []Reading) {
	for _, name := range f.names {
		value := f.list(name)
		if strings.HasSuffix(name, "-api-call-limit") { // Shopify: 32/40
			used, limit, _ := strings.Cut(value, "/")
			u, ok := parseCount(strings.TrimSpace(used))
			if l, isCount := parseCount(strings.TrimSpace(limit)); ok && isCount {
				all = append(all, Reading{Limit: l, Remaining: max(l-u, 0)})
			}
			continue
		}
		_, words, ok := split(name)
		if r, _ := roleIn(words); !ok || r != roleNone || name == "ratelimit" {
			continue
		}
		if strings.HasPrefix(value, "{") {
			all = append(all, f.objects(f.values[name])...)
		} else if r, ok := f.dictionary(value); ok { // Zendesk-RateLimit-Tickets-Index
			r.Name = strings.Join(words, "-")
			all = append(all, r)
		}
	}
	return all
}

// objects reads Trakt's JSON objects. Trakt's name stands for a group of requests, as GitHub's
// resource does, so it is the partition, too.
func (f *fieldset) objects(values []string) (all []Reading) {
	for _, value := range values {
		var o struct {
			Name                     string
			Period, Limit, Remaining json.Number
			Until                    string
		}
		if json.Unmarshal([]byte(value), &o) != nil {
			continue
		}
		r := Reading{Name: o.Name, Partition: o.Name}
		r.Limit, _ = countOr(o.Limit.String(), -1)
		r.Remaining, _ = countOr(o.Remaining.String(), -1)
		r.Window, _ = parseSpan(o.Period.String())
		r.Reset, _ = parseWait(o.Until, f.now)
		all = append(all, r)
	}
	return all
}
