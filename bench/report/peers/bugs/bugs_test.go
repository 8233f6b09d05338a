package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// If a new version of a peer mends a bug, this fails, and its row is to go.
func TestBugs(t *testing.T) {
	for _, b := range bugs {
		t.Run(b.module+"/"+b.what, func(t *testing.T) {
			if !b.here() {
				t.Skip("on " + b.arch + " only")
			}
			seen, wrong := b.see()
			require.True(t, wrong, seen)
			t.Log(seen)
		})
	}
}
