package bench_test

import (
	"bufio"
	_ "embed"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/benbjohnson/clock"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/gcra"
)

//go:embed testdata/access.log
var accessLog string

// commonLog is a line of the Common Log Format: host, identity, user, time, request, status, size.
var commonLog = regexp.MustCompile(`^(\S+) \S+ (\S+) \[([^]]+)\] "(\S+) (\S+) [^"]*" \d{3} (?:\d+|-)$`)

// Trakt's AUTHED_API_POST_LIMIT lets every user send one POST, PUT or DELETE a second. This plays a
// log through it under a mock clock, and prints who was refused, when, and for how long.
func Example_replay() {
	mock := clock.NewMock()
	limits := map[string]*gcra.Limiter{}
	writes, refused := 0, 0
	for lines := bufio.NewScanner(strings.NewReader(accessLog)); lines.Scan(); {
		line := commonLog.FindStringSubmatch(lines.Text())
		user, stamp, method, path := line[2], line[3], line[4], line[5]
		if user == "-" || method == "GET" {
			continue
		}
		at, err := time.Parse("02/Jan/2006:15:04:05 -0700", stamp)
		if err != nil {
			fmt.Println(err)
			continue
		}
		mock.Set(at)
		if limits[user] == nil {
			limits[user] = ratelimit.Must(gcra.New(ratelimit.PerSecond(1), 1, ratelimit.WithClock(mock)))
		}
		writes++
		if d := limits[user].Take(1); !d.OK {
			refused++
			fmt.Printf("%s %-5s %-6s %-20s retry after %v\n", at.Format(time.TimeOnly), user, method, path, d.RetryAfter)
		}
	}
	fmt.Printf("%d of %d writes refused\n", refused, writes)
	// Output:
	// 08:02:00 bob   POST   /sync/ratings        retry after 1s
	// 08:02:00 bob   POST   /sync/ratings        retry after 1s
	// 08:02:01 bob   POST   /sync/watchlist      retry after 1s
	// 08:02:01 bob   POST   /scrobble/stop       retry after 1s
	// 08:06:40 carol POST   /checkin             retry after 1s
	// 08:06:40 carol POST   /sync/history        retry after 1s
	// 08:06:40 carol DELETE /sync/watchlist/17   retry after 1s
	// 08:06:40 carol POST   /checkin             retry after 1s
	// 08:11:41 bob   POST   /checkin             retry after 1s
	// 08:11:41 bob   POST   /scrobble/stop       retry after 1s
	// 10 of 84 writes refused
}
