package httplimit

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit/policy"
)

// What a request was known by does not stay in memory after it.
func TestReleaseForgetsTheAttributes(t *testing.T) {
	attrs := []policy.Attr{{Name: "token", Value: "secret"}}
	q := &question{request: policy.Request{Attrs: attrs}}
	q.release()
	require.Zero(t, attrs[0])
}
