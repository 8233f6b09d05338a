package redislimit

import (
	"context"

	"github.com/seed-3506548a/ratelimit"
)

type leases struct{}

func (*leases) forget(string) {}
func (*leases) take(context.Context, *Store, string, algorithm, int) (d ratelimit.Decision, ok bool) {
	return
}

type batches struct{}

func (*batches) take(context.Context, *Store, string, algorithm, int) (d ratelimit.Decision, err error) {
	return
}
