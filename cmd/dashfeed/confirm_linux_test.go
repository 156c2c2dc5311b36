package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"
	"unsafe"
)

// console opens a pseudo-terminal: what is written to keys is typed at tty.
func console(t *testing.T) (keys, tty *os.File) {
	t.Helper()
	keys, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no pseudo-terminals: %v", err)
	}
	t.Cleanup(func() { keys.Close() })
	var number, unlocked uint32
	for request, at := range map[uintptr]*uint32{syscall.TIOCGPTN: &number, syscall.TIOCSPTLCK: &unlocked} {
		if _, _, failed := syscall.Syscall(syscall.SYS_IOCTL, keys.Fd(), request, uintptr(unsafe.Pointer(at))); failed != 0 {
			t.Fatalf("ioctl %x: %v", request, failed)
		}
	}
	tty, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tty.Close() })
	return keys, tty
}

// TestResetAsksAtATerminal: a definition that resets what was counted is applied only if a person
// says yes. A device that is not a terminal gives no answer.
func TestResetAsksAtATerminal(t *testing.T) {
	s := start(t, io.Discard, "run", "--data", t.TempDir())
	defer s.stop(t)
	apply := func(title string, stdin io.Reader) (code int, said string, applied bool) {
		t.Helper()
		file := write(t, "reset.yaml", "dashboard: d\ntitle: "+title+"\nreset: true\npanels: [{id: p, window: latest}]\n")
		var out, told bytes.Buffer
		code = run(context.WithoutCancel(t.Context()), []string{"definition", "apply", file, "--server", s.public}, stdin, &out, &told)
		return code, told.String(), strings.Contains(get(t, s.public+"/v1/dashboards/d/definition"), "title: "+title)
	}
	for name, c := range map[string]struct {
		typed string
		yes   bool
	}{
		"y": {"y\n", true}, "yes": {" YES \n", true},
		"n": {"n\n", false}, "enter": {"\n", false}, "another word": {"yess\n", false}, "the end of input": {"\x04", false},
		"y, and no enter": {"y\x04\x04", true},
	} {
		t.Run(name, func(t *testing.T) {
			keys, tty := console(t)
			if _, err := keys.WriteString(c.typed); err != nil {
				t.Fatal(err)
			}
			code, said, applied := apply("t"+fmt.Sprint(len(name)), tty)
			if !strings.Contains(said, "d (") || !strings.Contains(said, "Go on? [y/N]") {
				t.Errorf("it was not asked: %s", said)
			}
			if applied != c.yes || (code == 0) != c.yes || !c.yes && (code != exitUsage || !strings.Contains(said, "nothing was changed")) {
				t.Errorf("exit %d, applied: %v: %s", code, applied, said)
			}
		})
	}
	file, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if code, said, applied := apply("nothing", file); code != exitUsage || applied || !strings.Contains(said, "--yes") {
		t.Errorf("from /dev/null: exit %d, applied: %v: %s", code, applied, said)
	}
}

// TestDeletesAsk: nothing is deleted before a person says yes.
func TestDeletesAsk(t *testing.T) {
	contextsIn(t)
	s := start(t, io.Discard, "run", "--data", t.TempDir())
	defer s.stop(t)
	for _, c := range []struct {
		deletes []string
		says    string
		there   func() bool
	}{
		{[]string{"definition", "delete", "d", "--server", s.public}, "the definition of d", func() bool {
			return strings.Contains(get(t, s.public+"/v1/dashboards/d/definition"), "id: mine")
		}},
		{[]string{"dashboard", "delete", "d", "--server", s.public}, "all that d has counted", func() bool {
			return !strings.Contains(get(t, s.public+"/v1/dashboards/d"), `"records":0`)
		}},
		{[]string{"context", "delete", "c"}, "context c", func() bool {
			_, out, _ := call(t, "", "context", "list")
			return strings.Contains(out, "acme")
		}},
	} {
		does(t, "", exitDone, "", "context", "set", "c", "--tenant", "acme")
		define(t, s.public, "dashboard: d\npanels: [{id: mine, window: latest}]\n")
		does(t, "", exitDone, "", "event", "post", "--dashboard", "d", "--metric", "m", "--value", "1", "--id", "1", "--server", s.public)
		does(t, "y\n", exitUsage, c.says, c.deletes...) // no terminal
		for _, typed := range []string{"n\n", "y\n"} {
			if !c.there() {
				t.Fatalf("%v: it is gone before a yes", c.deletes)
			}
			keys, tty := console(t)
			if _, err := keys.WriteString(typed); err != nil {
				t.Fatal(err)
			}
			var out, told bytes.Buffer
			code := run(context.WithoutCancel(t.Context()), c.deletes, tty, &out, &told)
			if !strings.Contains(told.String(), c.says) || (code == exitDone) != (typed == "y\n") {
				t.Errorf("%v, typed %q: exit %d: %s", c.deletes, typed, code, told.String())
			}
		}
		if c.there() {
			t.Errorf("%v: it is there after a yes", c.deletes)
		}
	}
}
