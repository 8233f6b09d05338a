package policy

import "testing"

// BenchmarkPattern is here, and not in bench, as patterns are not exported.
func BenchmarkPattern(b *testing.B) {
	for _, c := range []struct{ name, pattern, path string }{
		{"literal", "GET /health", "/health"}, {"literal-no", "GET /health", "/v1/users/123456"},
		{"below", "/v1/", "/v1/users/123456"}, {"wild", "GET /v1/users/{id}", "/v1/users/123456"},
		{"wilds", "GET /{version}/users/{id}", "/v1/users/123456"},
		{"escaped", "GET /v1/users/{id}", "/v1/users/12%33456"},
	} {
		p, _ := compilePattern(c.pattern)
		at := newTarget("GET", c.path)
		b.Run("pattern="+c.name, func(b *testing.B) {
			for b.Loop() {
				p.match(&at)
			}
		})
	}
	b.Run("target", func(b *testing.B) {
		for b.Loop() {
			newTarget("GET", "/v1/users/123456")
		}
	})
}
