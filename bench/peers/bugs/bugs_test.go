package main

import (
	"runtime"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
)

// If a new version of a peer mends a bug, or brings one back, this fails, and what docs say of it
// is to be looked at.
func TestBugs(t *testing.T) {
	fixed := []string{"after a pause the slack is given again with each event"}
	if runtime.GOARCH != "amd64" {
		fixed = append(fixed, "one event every `MaxInt64` ns grants another one at once (amd64)")
	}
	for _, b := range bugs {
		t.Run(b.module+"/"+b.what, func(t *testing.T) {
			seen, wrong := b.see()
			assert.Equal(t, !slices.Contains(fixed, b.what), wrong, seen)
		})
	}
}
