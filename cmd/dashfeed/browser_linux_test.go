package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"unsafe"
)

// desktop puts programs on the path that write their names and arguments to a pipe, and hides those
// of a real desktop.
func desktop(t *testing.T, env map[string]string) (asked *os.File) {
	t.Helper()
	dir := t.TempDir()
	pipe := filepath.Join(dir, "asked")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"xdg-open", "open", "surf"} {
		program := fmt.Sprintf("#!/bin/sh\necho \"$(basename $0) $*\" >%s\n", pipe)
		if err := os.WriteFile(filepath.Join(dir, name), []byte(program), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))
	for _, name := range []string{"DISPLAY", "WAYLAND_DISPLAY", "BROWSER"} {
		t.Setenv(name, env[name])
	}
	f, err := os.OpenFile(pipe, os.O_RDWR, 0) // a pipe without a writer ends at once
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// line returns the next line of the pipe.
func line(t *testing.T, f *os.File) string {
	t.Helper()
	b := make([]byte, 1024)
	n, err := f.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(b[:n]))
}

func TestOpenPage(t *testing.T) {
	for _, c := range []struct {
		name string
		env  map[string]string
		want string
	}{
		{"a screen", map[string]string{"DISPLAY": ":0"}, "xdg-open http://127.0.0.1:1/"},
		{"wayland", map[string]string{"WAYLAND_DISPLAY": "wayland-0"}, "xdg-open http://127.0.0.1:1/"},
		{"a browser that is named", map[string]string{"BROWSER": "surf:links"}, "surf http://127.0.0.1:1/"},
		{"the named one wins", map[string]string{"BROWSER": "surf", "DISPLAY": ":0"}, "surf http://127.0.0.1:1/"},
		{"one that is not there", map[string]string{"BROWSER": "no-such-browser"}, ""},
		{"nobody sits here", nil, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			asked := desktop(t, c.env)
			if got := openPage("http://127.0.0.1:1/"); got != (c.want != "") {
				t.Fatalf("openPage is %v", got)
			}
			if c.want == "" {
				return
			}
			if got := line(t, asked); got != c.want {
				t.Errorf("asked %q, want %q", got, c.want)
			}
		})
	}
}

// screen returns a terminal whose output is discarded.
func screen(t *testing.T) *os.File {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	var n, unlocked int32
	for request, value := range map[uintptr]*int32{syscall.TIOCSPTLCK: &unlocked, syscall.TIOCGPTN: &n} {
		if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, master.Fd(), request, uintptr(unsafe.Pointer(value))); errno != 0 {
			t.Fatal(errno)
		}
	}
	tty, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	go io.Copy(io.Discard, master)
	t.Cleanup(func() {
		tty.Close()
		master.Close()
	})
	return tty
}

// TestDemoOpensThePage: on a terminal of a user with a display, the demo opens the address that
// serves the page. Without a terminal, or with the flag against it, it opens nothing.
func TestDemoOpensThePage(t *testing.T) {
	for _, c := range []struct {
		name  string
		out   func(t *testing.T) io.Writer
		args  []string
		opens bool
	}{
		{"on a terminal", func(t *testing.T) io.Writer { return screen(t) }, nil, true},
		{"told not to", func(t *testing.T) io.Writer { return screen(t) }, []string{"--no-open"}, false},
		{"into a pipe", func(*testing.T) io.Writer { return io.Discard }, nil, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			asked := desktop(t, map[string]string{"DISPLAY": ":0"})
			s := start(t, c.out(t), append([]string{"demo", "--data", t.TempDir()}, c.args...)...)
			if c.opens {
				program, address, _ := strings.Cut(line(t, asked), " ")
				if program != "xdg-open" || address != s.public+"/" {
					t.Errorf("asked %s to open %q, want %q", program, address, s.public+"/")
				}
				r, err := http.Get(address)
				if err != nil || r.StatusCode != http.StatusOK || !strings.HasPrefix(r.Header.Get("Content-Type"), "text/html") {
					t.Errorf("what was opened answers %v, %v", r, err)
				}
				if err == nil {
					r.Body.Close()
				}
			}
			s.stop(t)
			if !c.opens {
				fmt.Fprintln(asked, "nothing")
				if got := line(t, asked); got != "nothing" {
					t.Errorf("opened %q", got)
				}
			}
		})
	}
}
