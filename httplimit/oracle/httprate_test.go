package oracle

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestHTTPRate runs the tests of go-chi/httprate on httplimit: the files as they are in that
// module, with the import of package httprate of this one. Not the one that shows that a client's
// header is believed.
func TestHTTPRate(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/go-chi/httprate").Output()
	require.NoError(t, err)
	dir := strings.TrimSpace(string(out))
	here, err := filepath.Abs("httprate")
	require.NoError(t, err)
	overlay := struct{ Replace map[string]string }{map[string]string{}}
	for _, name := range []string{"limiter_test.go", "client_ip_test.go", "httprate_test.go"} {
		var theirs []byte
		theirs, err = os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
		file := filepath.Join(t.TempDir(), name)
		ours := strings.ReplaceAll(string(theirs), `"github.com/go-chi/httprate"`, `"github.com/seed-3506548a/ratelimit/httplimit/oracle/httprate"`)
		require.NoError(t, os.WriteFile(file, []byte(ours), 0o600))
		overlay.Replace[filepath.Join(here, name)] = file
	}
	text, err := json.Marshal(overlay)
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "overlay.json")
	require.NoError(t, os.WriteFile(file, text, 0o600))
	out, err = exec.CommandContext(t.Context(), "go", "test", "-count=1", "-v", "-vet=off", "-skip", "^TestKeyByRealIP_SpoofableRegression$", "-overlay", file, "./httprate").CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Greater(t, strings.Count(string(out), "--- PASS"), 30, "%s", out)
}
