package simulate

import (
	"slices"
	"strings"

	"github.com/seed-3506548a/ratelimit/policy"
)

// limits counts what each limit of a judge did.
type limits struct {
	all     []counted
	rules   []ruleKey
	alone   bool // there is one, of keys as requests have them, and no policy
	grouped []byte
}

// counted is a limit.
type counted struct {
	rule    int
	limit   policy.Limit
	of      policy.Rule
	refused int64
	windows windows
}

// ruleKey numbers the keys of a rule.
type ruleKey struct {
	parts   [][]string
	numbers map[string]int32
	names   []string
	own     []int32 // by the numbers of a Run's keys: of the same value here, plus 1; 0: not known
}

func newLimits(j Judge) (l limits) {
	switch j := j.(type) {
	case *Policy:
		for i, rule := range j.policy.Rules {
			k := ruleKey{numbers: map[string]int32{}}
			for _, part := range rule.Key {
				k.parts = append(k.parts, strings.Split(part, "|"))
			}
			l.rules = append(l.rules, k)
			for _, one := range rule.Limits {
				l.all = append(l.all, counted{rule: i, limit: one, of: rule, windows: newWindows(int64(one.Rate.Per))})
			}
		}
	case *Stored:
		if j.limit.As != "" {
			l.alone = true
			l.all = append(l.all, counted{limit: j.limit, windows: newWindows(int64(j.limit.Rate.Per))})
		}
	}
	return l
}

// count counts a verdict.
func (l *limits) count(now int64, key int32, r *Request, v *Verdict) {
	n := int64(max(v.Cost, 0))
	if l.alone {
		if c := &l.all[0]; v.OK {
			c.windows.grant(now, key, n)
		} else {
			c.refused += n
		}
		return
	}
	if v.Decision == nil {
		return
	}
	next, rule, number := 0, -1, int32(0)
	for i := range v.Decision.Standings {
		s := &v.Decision.Standings[i]
		for next < len(l.all) && (l.all[next].limit.Name != s.Name || l.all[next].of.Name != s.Rule) {
			next++
		}
		if next == len(l.all) {
			return
		}
		c := &l.all[next]
		if s.Crossed {
			c.refused += n
			continue
		}
		if charged := c.charged(r, n); v.OK && charged > 0 {
			if c.rule != rule {
				rule, number = c.rule, l.number(c.rule, r)
			}
			c.windows.grant(now, number, charged)
		}
	}
}

// charged returns how many events of a request that was granted the limit counts.
func (c *counted) charged(r *Request, n int64) int64 {
	switch {
	case c.limit.Of != "":
		i := slices.IndexFunc(r.Amounts, func(a policy.Amount) bool { return a.Name == c.limit.Of })
		if i < 0 { // it needs room for 1, and is charged nothing
			return 0
		}
		return int64(r.Amounts[i].N)
	case len(c.limit.Count) > 0 && !slices.ContainsFunc(c.limit.Count, func(pattern string) bool { return hasStatus(pattern, r.Status) }):
		return 0
	}
	return n
}

// hasStatus reports whether a status is one of "401" or "4xx", which begin with 1 to 5.
func hasStatus(pattern string, status int) bool {
	for i, digit := range [3]int{status / 100, status / 10 % 10, status % 10} {
		if pattern[i] != 'x' && int(pattern[i]-'0') != digit {
			return false
		}
	}
	return true
}

// number returns the number of a request's key in a rule, from 0.
func (l *limits) number(rule int, r *Request) int32 {
	k := &l.rules[rule]
	if len(k.parts) == 1 && len(k.parts[0]) == 1 {
		value := attribute(r, k.parts[0][0])
		if value == r.Key && r.key > 0 {
			return k.ofKey(r)
		}
		return k.of(value, r)
	}
	l.grouped = l.grouped[:0]
	for _, part := range k.parts {
		for j, name := range part {
			if v := attribute(r, name); v != "" {
				l.grouped = append(append(append(l.grouped, byte('0'+j)), v...), 0)
				break
			}
		}
		l.grouped = append(l.grouped, 1)
	}
	if n, ok := k.numbers[string(l.grouped)]; ok {
		return n
	}
	return k.add(string(l.grouped))
}

// ofKey returns the number of the request's key, which a Run has numbered already.
func (k *ruleKey) ofKey(r *Request) int32 {
	for int(r.key) >= len(k.own) {
		k.own = append(k.own, 0)
	}
	own := &k.own[r.key]
	if *own == 0 {
		*own = k.of(r.Key, r) + 1
	}
	return *own - 1
}

func (k *ruleKey) of(value string, r *Request) int32 {
	if n, ok := k.numbers[value]; ok {
		return n
	}
	return k.add(r.kept(value))
}

func (k *ruleKey) add(value string) int32 {
	n := int32(len(k.names))
	k.names = append(k.names, value)
	k.numbers[value] = n
	return n
}

// attribute returns the value of the first attribute of the name that has one.
func attribute(r *Request, name string) string {
	for i := range r.Attrs {
		if a := &r.Attrs[i]; a.Name == name && a.Value != "" {
			return a.Value
		}
	}
	return ""
}

// name returns a key of a rule as people read it.
func (k *ruleKey) name(number int32) string {
	parts := strings.Split(strings.TrimSuffix(k.names[number], "\x01"), "\x01")
	for i, part := range parts {
		if value, ok := strings.CutSuffix(part, "\x00"); ok {
			parts[i] = value[1:]
		}
	}
	return strings.Join(parts, ", ")
}

func (l *limits) result(keys *keys) []Limit {
	all := make([]Limit, 0, len(l.all))
	for i := range l.all {
		c := &l.all[i]
		c.windows.flush()
		one := Limit{Rule: c.of.Name, Name: c.limit.Name, Mode: string(c.of.Mode), Refused: c.refused, Per: Seconds(c.limit.Rate.Per),
			MostGranted: c.windows.most, AtLeast: c.windows.coarse}
		c.limit.Name = ""
		one.Limit = c.limit.String()
		if one.Name == "" {
			one.Name = one.Limit
		}
		if c.windows.most > 0 {
			if l.alone {
				one.MostKey = keys.name(c.windows.whose)
			} else {
				one.MostKey = l.rules[c.rule].name(c.windows.whose)
			}
		}
		all = append(all, one)
	}
	return all
}
