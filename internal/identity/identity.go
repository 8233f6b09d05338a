// Package identity tells whether values in interfaces are nil, or the same, without ever panicking.
package identity

import (
	"reflect"
	"unsafe"
)

// IsNil also finds a nil pointer or function inside of the interface, whose methods would panic.
func IsNil(v any) bool {
	if v == nil {
		return true
	}
	inside := reflect.ValueOf(v)
	return (inside.Kind() == reflect.Pointer || inside.Kind() == reflect.Func) && inside.IsNil()
}

// Same reports whether two values can be told to be the same. What cannot be compared, such as a
// function, is the same as a copy of the interface that it lies in.
func Same(a, b any) bool {
	if a == nil || b == nil {
		return a == b
	}
	if !reflect.ValueOf(a).Comparable() || !reflect.ValueOf(b).Comparable() {
		return words(a) == words(b)
	}
	return a == b
}

// Key reports whether v can be the key of a map: it can be compared, and is equal to itself.
func Key(v any) bool { return v != nil && reflect.ValueOf(v).Comparable() && Same(v, v) }

// words returns the two words of an interface: its type, and where its value lies. Nobody writes to
// a value that lies in an interface, so what lies in one place is one value.
func words(v any) [2]unsafe.Pointer { return *(*[2]unsafe.Pointer)(unsafe.Pointer(&v)) }
