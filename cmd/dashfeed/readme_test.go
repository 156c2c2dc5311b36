package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// readmeCommand says what a command of README.md must print in the test when it is pasted
// unchanged.
type readmeCommand struct {
	begins string // the beginning of the command
	how    commandEnd
	says   string
}

// commandEnd says how a command of README.md ends.
type commandEnd int

const (
	ends        commandEnd = iota // by itself, with 0
	interrupted                   // by Ctrl-C, after it has printed its text
	stays                         // by Ctrl-C, after all others: it runs in another terminal
)

// readmeCommands lists all commands, in their order.
var readmeCommands = []readmeCommand{
	{"make run", stays, "/d/departures"},
	{"curl -s 'http://127.0.0.1:8080/v1/dashboards/departures", ends, `"dashboard":"departures"`},
	{"curl -s http://127.0.0.1:8080/v1/events", ends, `"accepted":1`},
	{"curl -s http://127.0.0.1:8080/v1/dashboards/checkout", ends, `"dashboard":"checkout"`},
	{"node --experimental-websocket", interrupted, `"dashboardId":"departures"`},
	{"make cluster", ends, "http://127.0.0.1:8091"},
	{"bin/dashfeed cluster shards", ends, "node-1"},
	{"scripts/cluster kill node-1", ends, ""},
	{"scripts/cluster up", ends, "http://127.0.0.1:8081"},
	{"scripts/cluster stop", ends, ""},
	{"scripts/cluster wipe", ends, ""},
	{"bin/dashfeed definition check", ends, "checkout"},
	{"bin/dashfeed definition apply", ends, "checkout"},
	{"bin/dashfeed publish", ends, "\n120 "},
	{"bin/dashfeed watch", interrupted, "countries "},
}

// readmeCopy is the variable that names the copy of the repository, for the test's second process.
const readmeCopy = "README_COPY"

// TestReadme: the commands of README.md do what they say, pasted one after another in a fresh copy
// of git's working tree. They run in their own network and process namespaces: what a command
// leaves behind ends with the test.
func TestReadme(t *testing.T) {
	if dir := os.Getenv(readmeCopy); dir != "" {
		pasteReadme(t, dir)
		return
	}
	dir := t.TempDir()
	shell(t, filepath.Join("..", ".."), `tree=$(git -c user.name=test -c user.email=test@localhost stash create) && git archive "${tree:-HEAD}" | tar -x -C `+dir)
	// the part of make run that may use the network
	shell(t, dir, "npm_config_prefer_offline=true make build")
	args := []string{"--net", "--pid", "--fork", "--kill-child", "--mount-proc"}
	if os.Getuid() != 0 {
		args = append(args, "--map-root-user")
	}
	// A shell is the first process of the namespace, since that one must wait for orphans.
	args = append(args, "bash", "-c", `ip link set lo up && "$0" "$@"; exit $?`, os.Args[0], "-test.run", "^TestReadme$", "-test.v")
	again := exec.CommandContext(t.Context(), "unshare", args...)
	again.Env = append(os.Environ(), readmeCopy+"="+dir, "XDG_CONFIG_HOME="+t.TempDir())
	again.Stdout, again.Stderr = t.Output(), t.Output()
	if err := again.Run(); err != nil {
		t.Error(err)
	}
}

func shell(t *testing.T, dir, command string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "bash", "-c", command)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", command, err, out)
	}
}

func pasteReadme(t *testing.T, dir string) {
	page, err := os.ReadFile(filepath.Join(dir, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	yaml, err := os.ReadFile(filepath.Join(dir, "examples", "checkout", "checkout.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(page), "```yaml\n"+string(yaml)+"```") {
		t.Error("the page shows another definition than the file's")
	}
	commands := pasted(string(page))
	for i, command := range commands {
		if i >= len(readmeCommands) || !strings.HasPrefix(command, readmeCommands[i].begins) {
			t.Fatalf("command %d of README.md is %q, which is not the one that this test knows", i, command)
		}
		began := time.Now()
		readmeCommands[i].run(t, dir, command)
		t.Logf("%.1f s: %s", time.Since(began).Seconds(), command)
	}
	if len(commands) != len(readmeCommands) {
		t.Errorf("README.md has %d commands, this test knows %d", len(commands), len(readmeCommands))
	}
}

// pasted returns the commands in a page's blocks of shell, one per line.
func pasted(page string) (commands []string) {
	inside := false
	for line := range strings.Lines(page) {
		line = strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "```"):
			inside = line == "```sh"
		case inside && line != "" && line[0] != '#':
			commands = append(commands, line)
		}
	}
	return commands
}

// run runs one command until it has printed its text.
func (c readmeCommand) run(t *testing.T, dir, command string) {
	t.Helper()
	const patience = 2 * time.Minute
	said := &listener{says: c.says, heard: make(chan struct{})}
	cmd := exec.Command("bash", "-c", command)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, said, said
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	// A background process of the command may hold its output open.
	cmd.WaitDelay = time.Second
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	stop := func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGINT) // like Ctrl-C at a terminal
		select {
		case <-ended:
		case <-time.After(patience):
			t.Errorf("%s: Ctrl-C does not end it:\n%s", command, said.tail())
		}
	}
	var heard chan struct{}
	if c.how != ends {
		heard = said.heard
	}
	select {
	case <-heard:
		if c.how == stays {
			t.Cleanup(stop)
		} else {
			stop()
		}
	case err := <-ended:
		if err != nil && err != exec.ErrWaitDelay || c.how != ends || !strings.Contains(said.String(), c.says) {
			t.Fatalf("%s: %v, want %q in\n%s", command, err, c.says, said.tail())
		}
	case <-time.After(patience):
		t.Fatalf("%s: no end, and no %q, in\n%s", command, c.says, said.tail())
	}
}

// listener collects all output of a command, and reports when it contains a text.
type listener struct {
	lockedBuffer
	says  string
	heard chan struct{}
	done  bool
}

// tail returns the end of the output, for an error.
func (l *listener) tail() string {
	said := l.String()
	return said[max(0, len(said)-4<<10):]
}

func (l *listener) Write(b []byte) (int, error) {
	n, err := l.lockedBuffer.Write(b)
	if !l.done && strings.Contains(l.String(), l.says) {
		l.done = true
		close(l.heard)
	}
	return n, err
}
