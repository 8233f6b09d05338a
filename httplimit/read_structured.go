package httplimit

import "strings"

// listed is a member of a list in a header field: a value, and parameters behind semicolons.
type listed struct {
	value  string            // without quotes
	quoted bool              // it was in quotes, so it is a name even if it consists of digits
	params map[string]string // by names in lower case, without quotes or colons
}

// parseList splits a field by commas and semicolons that are not in quotes. It takes what does not
// keep to RFC 9651 as well, and skips empty members.
func parseList(s string) (all []listed) {
	for _, member := range splitOutsideQuotes(s, ',') {
		parts := splitOutsideQuotes(member, ';')
		value, quoted := unquoted(parts[0])
		if value == "" {
			continue
		}
		one := listed{value: value, quoted: quoted, params: make(map[string]string, len(parts)-1)}
		for _, p := range parts[1:] {
			name, v, _ := strings.Cut(p, "=")
			one.params[strings.ToLower(strings.TrimSpace(name))], _ = unquoted(v)
		}
		if all = append(all, one); len(all) == mostReadings {
			break
		}
	}
	return all
}

func splitOutsideQuotes(s string, separator byte) (parts []string) {
	quoted, begin := false, 0
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\\' && quoted:
			i++
		case s[i] == '"':
			quoted = !quoted
		case s[i] == separator && !quoted:
			parts = append(parts, s[begin:i])
			begin = i + 1
		}
	}
	return append(parts, s[min(begin, len(s)):])
}

// unquoted returns the content of a String or a Byte Sequence, and of anything else itself.
func unquoted(s string) (content string, quoted bool) {
	s = strings.TrimSpace(s)
	if len(s) < 2 || s[0] != s[len(s)-1] {
		return s, false
	}
	switch s[0] {
	case '"':
		return strings.NewReplacer(`\"`, `"`, `\\`, `\`).Replace(s[1 : len(s)-1]), true
	case ':':
		return s[1 : len(s)-1], true
	}
	return s, false
}

// quota is a limit of a policy field: 100;w=60, or "day";q=100;w=60.
type quota struct {
	Reading
	used bool // it is in a Reading already
}

// policies reads the list of limits in a field, such as RateLimit-Policy. Drafts to 07 give a
// number, later ones a name.
func policies(list []listed) (all []quota) {
	for _, one := range list {
		q := quota{Reading: one.reading()}
		if n, ok := parseCount(one.value); ok && !one.quoted {
			q.Limit = n
			q.Name = one.params["name"]
		} else {
			q.Name = one.value
			q.Limit = one.count("q", "c")
		}
		if q.Limit >= 0 {
			all = append(all, q)
		}
	}
	return all
}

// reading returns an empty Reading with the window and the partition that the parameters tell.
func (one *listed) reading() Reading {
	r := Reading{Limit: -1, Remaining: -1, Partition: one.params["pk"]}
	for _, name := range []string{"w", "window"} {
		if w, ok := parseSpan(one.params[name]); ok {
			r.Window = w
			break
		}
	}
	return r
}

// count returns the first of the parameters that is a number, or -1.
func (one *listed) count(names ...string) int64 {
	for _, name := range names {
		if n, ok := parseCount(one.params[name]); ok {
			return n
		}
	}
	return -1
}

// structured reads RateLimit and RateLimit-Policy of the IETF's drafts from 07 on.
func (f *fieldset) structured() (all []Reading) {
	field := f.list("ratelimit")
	if r, ok := f.dictionary(field); ok {
		known := policies(parseList(f.list("ratelimit-policy")))
		claim(&r, known)
		return append([]Reading{r}, unclaimed(known)...)
	}
	list := parseList(field)
	if len(list) == 0 && f.values["ratelimit-limit"] != nil {
		return nil // RateLimit-Policy belongs to the family RateLimit-*
	}
	known := policies(parseList(f.list("ratelimit-policy")))
	for _, one := range list {
		r := one.reading()
		r.Name, r.Window = one.value, 0
		r.Remaining = one.count("r", "a")
		if c := one.count("c"); c >= r.Remaining {
			r.Limit = c
		}
		for _, name := range []string{"t", "w"} {
			if reset, ok := parseWait(one.params[name], f.now); ok {
				r.Reset = reset
				break
			}
		}
		if r.Remaining < 0 {
			continue
		}
		claim(&r, known)
		all = append(all, r)
	}
	return append(all, unclaimed(known)...)
}

// claim completes a Reading by the policy that it stands for: that of its name, or of its limit.
func claim(r *Reading, known []quota) {
	for i := range known {
		q := &known[i]
		byName := r.Name != "" && q.Name == r.Name && (q.Partition == r.Partition || q.Partition == "" || r.Partition == "")
		byLimit := r.Name == "" && q.Limit == r.Limit
		if q.used || !byName && !byLimit {
			continue
		}
		q.used = true
		r.Window, r.Name = q.Window, q.Name
		if r.Limit < 0 {
			r.Limit = q.Limit
		}
		if r.Partition == "" {
			r.Partition = q.Partition
		}
		return
	}
}

// unclaimed returns the policies that no Reading stands for, as Readings without Remaining.
func unclaimed(known []quota) (all []Reading) {
	for _, q := range known {
		if !q.used {
			all = append(all, q.Reading)
		}
	}
	return all
}

// dictionary reads limit=100, remaining=50, reset=5 and total=10; remaining=9; resets=2.
func (f *fieldset) dictionary(field string) (r Reading, ok bool) {
	r = Reading{Limit: -1, Remaining: -1}
	for part := range strings.FieldsFuncSeq(field, func(c rune) bool { return c == ',' || c == ';' }) {
		name, v, _ := strings.Cut(strings.TrimSpace(part), "=")
		v = strings.TrimSpace(v)
		n, isCount := parseCount(v)
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "limit", "total":
			if isCount {
				r.Limit, ok = n, true
			}
		case "remaining":
			if isCount {
				r.Remaining, ok = n, true
			}
		case "reset", "resets":
			if wait, parsed := parseWait(v, f.now); parsed {
				r.Reset, ok = wait, true
			}
		}
	}
	return r, ok
}
