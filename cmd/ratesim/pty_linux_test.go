package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
)

// onTerminal returns what is written to a terminal, or skips the test if there can be none here.
func onTerminal(t *testing.T, do func(terminal *os.File)) string {
	t.Helper()
	keyboard, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skip("there are no terminals here: ", err)
	}
	defer func() { _ = keyboard.Close() }()
	var number, unlock int32
	for request, at := range map[uintptr]*int32{syscall.TIOCSPTLCK: &unlock, syscall.TIOCGPTN: &number} {
		_, _, failed := syscall.Syscall(syscall.SYS_IOCTL, keyboard.Fd(), request, uintptr(unsafe.Pointer(at)))
		require.Zero(t, failed)
	}
	terminal, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skip("there are no terminals here: ", err)
	}
	seen := make(chan string)
	go func() {
		var b bytes.Buffer
		_, _ = io.Copy(&b, keyboard) // it ends when the terminal is closed
		seen <- b.String()
	}()
	do(terminal)
	require.NoError(t, terminal.Close())
	return <-seen
}

// On a terminal, a bar shows how much of a file is read, or that a pipe is, until the
// report comes, with a small plot behind each result.
func TestOnTerminal(t *testing.T) {
	log := accessLog(4000)
	args := []string{"-limit", "log 10/min", "-top", "1", "-trace"}
	status, report, errs := ratesim(t, log, append(args, "-")...)
	require.Zero(t, status, errs)
	pipe := filepath.Join(t.TempDir(), "pipe")
	require.NoError(t, syscall.Mkfifo(pipe, 0o666))
	go func() { _ = os.WriteFile(pipe, []byte(log), 0o666) }()
	const ofSize, of = `reading +\d+% \|[█ ]{30}\| \([^)]*B/s\) \[[^]]*\]`, `[|/\\-] reading \([^)]*B/s\) \[[^]]*\] `
	for trace, bar := range map[string]string{saved(t, "a.log", log): ofSize, "-": of, pipe: of} {
		seen := strings.ReplaceAll(onTerminal(t, func(terminal *os.File) {
			require.Zero(t, run(append(args, trace), world{strings.NewReader(log), terminal, terminal}))
		}), "\r\n", "\n")
		bars, rest, _ := strings.Cut(seen, report)
		require.Regexp(t, `^(\r`+bar+`\r +\r)+$`, bars)
		require.True(t, strings.HasPrefix(rest, "\n 32.00 ┼"), rest)
		require.Contains(t, rest, "events in each 16s\n")
	}
}
