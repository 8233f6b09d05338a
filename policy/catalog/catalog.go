// Package catalog has policies of real APIs, and some to begin with.
//
//	p, err := catalog.Load("trakt")
//
// Each is a JSON document in this package's folder, to be used as it is or copied and changed. The
// attributes that they count by are user, client (the application), token, ip and route (the
// pattern of the endpoint, not the path).
//
// The APIs say of their limits only a part. Here is what each has published, with the date when
// that was read, and what is assumed, since nothing is known of it.
//
// # trakt
//
// Published, until October 2026: POST, PUT and DELETE by a user, 1 in a second
// (AUTHED_API_POST_LIMIT); GET by a user, 1000 in 5 minutes (AUTHED_API_GET_LIMIT); GET without a
// user, 1000 in 5 minutes for each application (UNAUTHED_API_GET_LIMIT). A sample of its header has
// an end of a window that is no multiple of 5 minutes.
//
// Assumed: windows open with a request, as the sample suggests; some have seen windows that are cut
// by the clock, for which write "aligned". A write a second after the last one is granted. Writes
// without a user and other methods are not limited. HEAD counts as GET.
//
// # trakt-strict
//
// As trakt. A maintainer has said, but nothing that is published does, that one request beyond a
// limit shuts out all requests of that application for 5 minutes.
//
// Assumed: that holds for reads and writes, with and without a user; requests within the 5 minutes
// do not lengthen them.
//
// # trakt-2026-10
//
// Published, since 2026-10-07: 500 in 5 minutes in place of 1000, and GET without a user is counted
// by application and public address together.
//
// Assumed: as for trakt. The limit of writes is as before.
//
// # willittrack
//
// Published, read in November 2026: 60 in each minute, cut by the clock, for each user and
// endpoint, or address and endpoint without a user, of everything below /v1/; /health is exempt.
//
// Assumed: requests below /v1/ that no endpoint is for are counted together, for each user or
// address.
//
// # anilist
//
// Published, read in November 2026: 90 in a minute; a request beyond it is answered by a minute in
// which all are refused; on top there is a limit of bursts, whose size is not published; raised
// limits are granted to applications.
//
// Assumed: the minute is a window that opens with a request. It is counted by user, or else by
// address. The limit of bursts is 10 in any second, is in no header, and a request beyond it is
// followed by the same minute. A raised limit is 180 in a minute: example-client stands for the
// application.
//
// # anilist-degraded
//
// Published, read in November 2026: 30 in a minute are enforced, while headers say 90.
//
// Assumed: as for anilist. Raised limits are as before.
//
// # prayerletters
//
// Published, read in November 2026: rolling limits of an endpoint, such as 50 in an hour and 600 in
// a day, as of each request; exceptions are granted to an application as a whole, or to one token
// on one endpoint.
//
// Assumed: these numbers are those of all endpoints; each token is counted by itself on each
// endpoint, and addresses where there is none. The exceptions are made up: ten times as much for
// the application example-client, and twenty times for example-token on one endpoint.
//
// # openai-like
//
// Published: none. It is of the form that APIs of language models have: 60 requests and 90,000
// tokens in a minute for each application. The estimate of tokens is charged before a request, and
// what it turned out to be after the response.
//
// Assumed: both come back evenly, and a minute's worth can be used at once.
//
// # fair-use
//
// Published, read in November 2026: a draft by Trakt that has no numbers. First patterns are
// monitored and nothing is refused; then there are soft interventions, which slow down or shut out
// for a while; then somebody is told; then there are hard limits, up to a revocation. It goes by
// impact, one mistake is not punished, and failed requests are counted by their outcome.
//
// Assumed: all numbers. The rule requests has the steps, the rule failures counts by outcome, the
// rule pace watches, and the rule next shows what half the limit would refuse.
package catalog

import (
	"embed"
	"slices"
	"strings"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/policy"
)

//go:embed *.json
var documents embed.FS

// Names returns the names of the policies, in alphabetical order.
func Names() []string {
	entries, err := documents.ReadDir(".")
	if err != nil {
		panic(err) // it is a part of the program
	}
	names := make([]string, len(entries))
	for i, entry := range entries {
		names[i] = strings.TrimSuffix(entry.Name(), ".json")
	}
	slices.Sort(names)
	return names
}

// Load returns the policy of that name, which is the caller's to change. If there is none, the
// error is a [*ratelimit.ArgumentError].
func Load(name string) (policy.Policy, error) {
	document, err := documents.ReadFile(name + ".json")
	if err != nil {
		return policy.Policy{}, &ratelimit.ArgumentError{Func: "catalog.Load", Field: "name", Value: name, Want: strings.Join(Names(), ", ")}
	}
	return policy.Parse(document)
}
