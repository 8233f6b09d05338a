// Package identity reports whether values in interfaces are nil or the same. It never panics.
package identity

import (
	"reflect"
	"unsafe"
)

// IsNil reports whether v is nil or holds a nil pointer or function, whose methods would panic.
func IsNil(v any) bool {
	if v == nil {
		return true
	}
	inside := reflect.ValueOf(v)
	return (inside.Kind() == reflect.Pointer || inside.Kind() == reflect.Func) && inside.IsNil()
}

// Same reports whether two values are known to be the same. Values that can be compared are the
// same if they are equal. Others, such as functions, are the same if both interfaces point to the
// same memory, as copies of one interface do.
func Same(a, b any) bool {
	if a == nil || b == nil {
		return a == b
	}
	if !reflect.ValueOf(a).Comparable() || !reflect.ValueOf(b).Comparable() {
		return words(a) == words(b)
	}
	return a == b
}

// Key reports whether v can be the key of a map: it is comparable and equal to itself.
func Key(v any) bool { return v != nil && reflect.ValueOf(v).Comparable() && Same(v, v) }

// words returns the two words of an interface: its type, and a pointer to its value. A value in an
// interface is never written to, so equal pointers mean the same value.
func words(v any) [2]unsafe.Pointer { return *(*[2]unsafe.Pointer)(unsafe.Pointer(&v)) }
