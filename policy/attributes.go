package policy

import (
	"hash/maphash"
	"math/bits"
	"strings"
)

// attribute is the value that a request has, "" if it has none, and its hash when that is needed.
type attribute struct {
	value  string
	hash   uint64
	hashed bool
}

// names are the attributes that a policy names, each with a seed of its own: the user 192.0.2.1 and
// the ip 192.0.2.1 are two keys. The seeds are the engine's, and stay when the policy is replaced.
type names struct {
	list  []string
	seeds []maphash.Seed
}

// index returns the place of a name, which it adds if it is new.
func (n *names) index(name string, seeds map[string]maphash.Seed) int {
	for i, known := range n.list {
		if known == name {
			return i
		}
	}
	seed, ok := seeds[name]
	if !ok {
		seed = maphash.MakeSeed()
		seeds[name] = seed
	}
	n.list = append(n.list, name)
	n.seeds = append(n.seeds, seed)
	return len(n.list) - 1
}

// read sets values to the attributes of a request, reusing its memory. Of several that have the
// name, the first with a value counts.
func (n *names) read(values []attribute, attrs []Attr) []attribute {
	values = values[:0]
	for _, name := range n.list {
		var v attribute
		for i := range attrs {
			if a := &attrs[i]; a.Name == name && a.Value != "" {
				v.value = a.Value
				break
			}
		}
		values = append(values, v)
	}
	return values
}

// key is what requests are counted by: parts, and in each the attributes of which the first that is
// there counts.
type key struct {
	parts [][]int
	share bool // a part that is not there is one value for all
}

func (g *generation) key(parts []string, share bool) key {
	k := key{share: share}
	for _, part := range parts {
		var of []int
		for name := range strings.SplitSeq(part, "|") {
			of = append(of, g.names.index(name, g.engine.seeds))
		}
		k.parts = append(k.parts, of)
	}
	return k
}

const (
	nobody   = 0x9e3779b97f4a7c15 // a part that is not there, of a key that is shared
	everyone = 0xd1b54a32d192ed03 // a key without parts
)

// hash returns the key of a request in 64 bits, and whether all its parts are there. The values'
// hashes are combined in order, so ("a", "b") is not ("b", "a"), nor is ("a:b", "c") ("a", "b:c").
func (k *key) hash(n *names, values []attribute) (hash uint64, ok bool) {
	hash = everyone
	for i, part := range k.parts {
		next, there := uint64(nobody), false
		for _, a := range part {
			if v := &values[a]; v.value != "" {
				if !v.hashed {
					v.hash, v.hashed = maphash.String(n.seeds[a], v.value), true
				}
				next, there = v.hash, true
				break
			}
		}
		if !there && !k.share {
			return 0, false
		}
		if i == 0 {
			hash = next
		} else {
			hash = mixed(hash, next)
		}
	}
	return hash, true
}

// mixed returns a hash of two, in order.
func mixed(a, b uint64) uint64 {
	high, low := bits.Mul64(bits.RotateLeft64(a, 29)^0xa0761d6478bd642f, 0xe7037ed1a0b428db)
	high, low = bits.Mul64(high^low^b, 0x8ebc6af09c88c6e3)
	return high ^ low
}

// escaped keeps values apart in the text of a key.
var escaped = strings.NewReplacer("%", "%25", "&", "%26")

// text returns the key of a request that has one, for stores: "user=7&ip=192.0.2.1". Two keys of a
// rule never have the same text. A part that is not there, of a key that is shared, is empty.
func (k *key) text(n *names, values []attribute) string {
	var parts [mostKeyParts]string
	for i, part := range k.parts {
		for _, a := range part {
			if value := values[a].value; value != "" {
				parts[i] = n.list[a] + "=" + escaped.Replace(value)
				break
			}
		}
	}
	return strings.Join(parts[:len(k.parts)], "&")
}
