package axes_test

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/keyed"
)

// visit is a request that is limited by its user, its address and its route.
type visit struct {
	user, route string
	address     netip.Addr
}

// BenchmarkGroup asks for one event of a request by several keys, which is granted: with the calls
// by hand, with a group, and with a composition that is made for each request.
func BenchmarkGroup(b *testing.B) {
	fast := ratelimit.PerSecond(1_000_000_000)
	users := ratelimit.Must(keyed.NewGCRA[string](fast, 1<<30, 1000))
	routes := ratelimit.Must(keyed.NewGCRA[string](fast, 1<<30, 1000))
	addresses := ratelimit.Must(keyed.NewGCRA[netip.Addr](fast, 1<<30, 1000))
	members := []keyed.Member[visit]{
		keyed.By(users, func(v visit) string { return v.user }),
		keyed.By(addresses, func(v visit) netip.Addr { return v.address }),
		keyed.By(routes, func(v visit) string { return v.route }),
	}
	var visits [64]visit
	for i := range visits {
		visits[i] = visit{fmt.Sprint("user", i), fmt.Sprint("GET /", i), netip.AddrFrom4([4]byte{192, 0, 2, byte(i)})}
	}
	now := time.Now()
	for n := 2; n <= 3; n++ {
		name := func(how string) string { return fmt.Sprintf("members=%d/how=%s", n, how) }
		b.Run(name("by-hand"), func(b *testing.B) {
			b.ReportAllocs()
			refused := 0
			for i := 0; b.Loop(); i++ {
				v := &visits[i%len(visits)]
				ok := addresses.PeekAt(now, v.address, 1).OK
				if n == 3 {
					ok = ok && routes.PeekAt(now, v.route, 1).OK
				}
				ok = ok && users.TakeAt(now, v.user, 1).OK && addresses.TakeAt(now, v.address, 1).OK
				if n == 3 {
					ok = ok && routes.TakeAt(now, v.route, 1).OK
				}
				if !ok {
					refused++
				}
			}
			none(b, refused)
		})
		group := ratelimit.Must(keyed.NewGroup(members[:n]...))
		b.Run(name("group"), func(b *testing.B) {
			b.ReportAllocs()
			refused := 0
			for i := 0; b.Loop(); i++ {
				if !group.TakeAt(now, visits[i%len(visits)], 1).OK {
					refused++
				}
			}
			none(b, refused)
		})
		b.Run(name("group-each"), func(b *testing.B) {
			b.ReportAllocs()
			refused := 0
			var each [3]ratelimit.Decision
			costs := []int{1, 1, 1}[:n]
			for i := 0; b.Loop(); i++ {
				if !group.TakeEach(now, visits[i%len(visits)], costs, each[:n]).OK {
					refused++
				}
			}
			none(b, refused)
		})
		b.Run(name("all"), func(b *testing.B) {
			b.ReportAllocs()
			refused := 0
			for i := 0; b.Loop(); i++ {
				v := &visits[i%len(visits)]
				ls := []ratelimit.Limiter{users.Limiter(v.user), addresses.Limiter(v.address), routes.Limiter(v.route)}
				if !ratelimit.Must(ratelimit.All(ls[:n]...)).TakeAt(now, 1).OK {
					refused++
				}
			}
			none(b, refused)
		})
	}
}

// none demands that nothing was refused, as the name of the row says.
func none(b *testing.B, refused int) {
	b.Helper()
	if refused > 0 {
		b.Errorf("%d were refused", refused)
	}
}
