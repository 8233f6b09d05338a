package httplimit_test

import (
	"bytes"
	"io"
	"mime/multipart"
	"net/http"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/httplimit"
	"github.com/seed-3506548a/ratelimit/keyed"
)

// TestUploadsAreRemoved sends a file that the handler's request keeps in a temporary file. The
// server removes those that it finds in the request as it has made it, also if the handler has
// panicked and something before the middleware has caught that.
func TestUploadsAreRemoved(t *testing.T) {
	table := ratelimit.Must(keyed.NewGCRA[string](ratelimit.PerMinute(60), 60, 1000))
	perKey := ratelimit.Must(httplimit.PerKey(table, httplimit.ClientIP(), httplimit.IETF(11)))
	plain, _ := newEngine(t, `{"rules": [{"name": "api", "limits": [{"name": "all", "rate": "100/s", "as": "gcra"}]}]}`)
	settled, _ := newEngine(t, `{"rules": [{"name": "api", "limits": [{"name": "all", "rate": "100/s", "as": "gcra", "count": ["5xx"]}]}]}`)
	ways := map[string]func(http.Handler) http.Handler{
		"a key":    perKey,
		"a policy": func(h http.Handler) http.Handler { return limited(t, plain, httplimit.IETF(11), h) },
		"settled":  func(h http.Handler) http.Handler { return limited(t, settled, httplimit.IETF(11), h) },
		"settled, no context": func(h http.Handler) http.Handler {
			return limited(t, settled, httplimit.IETF(11), h, httplimit.NoContext())
		},
		"a key, behind a policy": func(h http.Handler) http.Handler {
			return limited(t, plain, httplimit.IETF(11), perKey(h))
		},
	}
	for name, limit := range ways {
		for _, panics := range []bool{false, true} {
			folder := t.TempDir()
			t.Setenv("TMPDIR", folder)
			t.Setenv("TMP", folder) // of Windows
			handler := limit(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				if err := r.ParseMultipartForm(1); err != nil {
					t.Error(err)
				}
				files, err := os.ReadDir(folder)
				if err != nil || len(files) != 1 {
					t.Error(files, err)
				}
				if panics {
					panic(http.ErrAbortHandler)
				}
			}))
			server, client := serve(t, "HTTP/1.1", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				defer func() { _ = recover() }()
				handler.ServeHTTP(w, r)
			}))
			var body bytes.Buffer
			form := multipart.NewWriter(&body)
			file, err := form.CreateFormFile("file", "letter")
			require.NoError(t, err)
			_, err = io.WriteString(file, "Dear Alice,")
			require.NoError(t, err)
			require.NoError(t, form.Close())
			get(t, client, http.MethodPost, server.URL, &body, "Content-Type: "+form.FormDataContentType())
			server.Close() // when the request is over
			left, err := os.ReadDir(folder)
			require.NoError(t, err)
			require.Empty(t, left, "%s, panics %v", name, panics)
		}
	}
}

// TestOwnForms parses a request before the middleware: that form stays.
func TestOwnForms(t *testing.T) {
	e, _ := newEngine(t, onePerSecond("", ""))
	form := &multipart.Form{}
	r := request("/")
	r.MultipartForm = form
	limited(t, e, httplimit.IETF(11), http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		r.MultipartForm = &multipart.Form{}
	})).ServeHTTP(&discard{header: http.Header{}}, r)
	require.Same(t, form, r.MultipartForm)
}
