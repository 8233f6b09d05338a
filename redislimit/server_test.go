package redislimit_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// server is a redis-server of its own, in a folder of the test.
type server struct {
	folder string
	args   []string
	cmd    *exec.Cmd
	socket string
}

// program returns where redis-server is. The test is skipped if there is none, or fails if the
// environment says that there must be one.
func program(t testing.TB) string {
	for _, name := range []string{"redis-server", "valkey-server"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	if os.Getenv("REDISLIMIT_REQUIRE_SERVER") != "" {
		t.Fatal("there is no redis-server in PATH, and REDISLIMIT_REQUIRE_SERVER is set")
	}
	t.Skip("there is no redis-server in PATH: nothing was tested against a real server")
	return ""
}

// startServer starts a server with these settings beside those that each has.
func startServer(t testing.TB, args ...string) *server {
	program(t)
	folder := t.TempDir()
	s := &server{folder: folder, socket: filepath.Join(folder, "s"), args: args}
	require.Less(t, len(s.socket), 104, "a socket's path must be short")
	s.start(t)
	t.Cleanup(s.kill)
	return s
}

func (s *server) start(t testing.TB) {
	args := append([]string{"--port", "0", "--unixsocket", s.socket, "--dir", s.folder, "--save", "", "--logfile", filepath.Join(s.folder, "log")}, s.args...)
	_ = os.Remove(s.socket)
	s.cmd = exec.Command(program(t), args...)
	require.NoError(t, s.cmd.Start())
	client := redis.NewClient(s.options())
	defer func() { _ = client.Close() }()
	if !assert.Eventually(t, func() bool { return client.Ping(context.Background()).Err() == nil }, 2*time.Minute, 5*time.Millisecond) {
		log, _ := os.ReadFile(filepath.Join(s.folder, "log"))
		t.Fatalf("the server does not answer: %s", log[max(0, len(log)-2000):])
	}
}

// kill ends the server as a crash does.
func (s *server) kill() {
	if s.cmd != nil {
		_ = s.cmd.Process.Kill()
		_ = s.cmd.Wait()
		s.cmd = nil
	}
}

// pause stops the server from answering, until resume.
func (s *server) pause(t testing.TB)  { require.NoError(t, s.cmd.Process.Signal(syscall.SIGSTOP)) }
func (s *server) resume(t testing.TB) { require.NoError(t, s.cmd.Process.Signal(syscall.SIGCONT)) }

func (s *server) options() *redis.Options {
	return &redis.Options{Network: "unix", Addr: s.socket, ContextTimeoutEnabled: true}
}

// client returns a client for what the test does to the server itself.
func (s *server) client(t testing.TB) *redis.Client {
	client := redis.NewClient(s.options())
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// startCluster starts servers that share the slots, and returns their addresses.
func startCluster(t testing.TB, n int) (addresses []string, servers []*server) {
	for range n {
		port, bus := freePort(t), freePort(t)
		servers = append(servers, startServer(t, "--port", strconv.Itoa(port), "--bind", "127.0.0.1",
			"--cluster-enabled", "yes", "--cluster-port", strconv.Itoa(bus), "--cluster-node-timeout", "5000"))
		addresses = append(addresses, fmt.Sprintf("127.0.0.1:%d", port))
		if first := servers[0].args[1]; len(servers) > 1 {
			require.NoError(t, servers[len(servers)-1].client(t).Do(t.Context(), "cluster", "meet", "127.0.0.1", first, servers[0].args[7]).Err())
		}
	}
	for i, s := range servers {
		from, to := i*16384/n, (i+1)*16384/n-1
		require.NoError(t, s.client(t).ClusterAddSlotsRange(t.Context(), from, to).Err())
	}
	for _, s := range servers {
		client := s.client(t)
		require.Eventually(t, func() bool {
			info, err := client.ClusterInfo(t.Context()).Result()
			return err == nil && value(info, "cluster_state") == "ok" && value(info, "cluster_known_nodes") == strconv.Itoa(n)
		}, 60*time.Second, 20*time.Millisecond)
	}
	return addresses, servers
}

func value(info, name string) string {
	for line := range linesOf(info) {
		if len(line) > len(name) && line[:len(name)+1] == name+":" {
			return line[len(name)+1:]
		}
	}
	return ""
}

func freePort(t testing.TB) int {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port
}
