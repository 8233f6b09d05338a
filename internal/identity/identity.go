// Package identity tells whether values in interfaces are nil, or the same, without ever panicking.
package identity

import "reflect"

// IsNil also finds a nil pointer or function inside of the interface, whose methods would panic.
func IsNil(v any) bool {
	if v == nil {
		return true
	}
	inside := reflect.ValueOf(v)
	return (inside.Kind() == reflect.Pointer || inside.Kind() == reflect.Func) && inside.IsNil()
}

// Same reports whether two values can be told to be the same: functions, for one, cannot.
func Same(a, b any) bool {
	return reflect.ValueOf(a).Comparable() && reflect.ValueOf(b).Comparable() && a == b
}
