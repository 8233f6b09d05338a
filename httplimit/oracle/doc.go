// Package oracle compares httplimit with other implementations of the same: structured fields,
// JSON schemas, addresses of clients, and the tests of another middleware. It is a module of its
// own, so that nobody needs these to use httplimit.
package oracle

// The package whose tests run in TestHTTPRate, so that go.mod has it.
import _ "github.com/go-chi/httprate"
