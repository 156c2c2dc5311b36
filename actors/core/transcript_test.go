package core

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/dashfeed/dashfeed/messages"
)

var update = flag.Bool("update", false, "write the transcripts anew, as the code answers now")

// TestTranscripts runs the transcripts of testdata. A line is an input, and the indented lines
// below it are the effects that follow from it; # begins a comment. What "is" sets stays as it is
// until the next shard begins. A transcript is a promise: read what -update changes in it.
func TestTranscripts(t *testing.T) {
	paths, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(paths) == 0 {
		t.Fatalf("there are no transcripts: %v", err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txt"), func(t *testing.T) {
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			got := replay(t, string(want))
			switch {
			case got == string(want):
			case *update:
				if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			default:
				t.Errorf("%s differs:\n%s", path, firstDifference(got, string(want)))
			}
		})
	}
}

func firstDifference(got, want string) string {
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range min(len(g), len(w)) {
		if g[i] != w[i] {
			return fmt.Sprintf("line %d: got  %s\n        want %s", i+1, g[i], w[i])
		}
	}
	return "one is longer"
}

// replay returns a transcript with the actual effects.
func replay(t *testing.T, transcript string) string {
	var out strings.Builder
	p := player{}
	for i, line := range strings.Split(strings.TrimSuffix(transcript, "\n"), "\n") {
		if strings.HasPrefix(line, "  ") {
			continue
		}
		fmt.Fprintln(&out, line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if err := p.play(strings.Fields(line)); err != nil {
			t.Fatalf("line %d: %s: %v", i+1, line, err)
		}
		for _, e := range p.shard.Ready() {
			fmt.Fprintf(&out, "  %s\n", e)
		}
		if p.said != "" {
			fmt.Fprintf(&out, "  (%s)\n", p.said)
			p.said = ""
		}
	}
	return out.String()
}

// player plays the inputs of a transcript to a shard.
type player struct {
	shard *Shard
	now   Now
	said  string // the answer of an input

	readings map[string]*Reading // by name
}

func (p *player) play(words []string) (err error) {
	arg := func(i int) string {
		if i >= len(words) {
			err = fmt.Errorf("it has %d words, want %d", len(words), i+1)
			return "0"
		}
		return words[i]
	}
	at := func(i int) messages.Position { return messages.Position{Lo: uint64(number(arg(i), &err))} }
	has := func(word string) bool { return strings.Contains(" "+strings.Join(words, " ")+" ", " "+word+" ") }
	s := p.shard
	if s == nil && words[0] != "new" {
		return fmt.Errorf("a transcript begins with new")
	}
	switch words[0] {
	case "new": // new [shared]
		p.now, p.readings = Now{}, map[string]*Reading{}
		p.shard = New(Config{
			CheckpointEvery: 5 * time.Second, ProofGood: 1250 * time.Millisecond, Shared: has("shared"),
			MaxForwards: 4, MaxForwardBytes: 100, ForwardsAtOnce: 2, ForwardBytesOnce: 50, MaxReadings: 3,
		})
	case "time":
		p.now.Time, err = time.ParseDuration(arg(1))
	case "is": // is owned, is not stuck, ...
		err = p.is(arg(len(words)-1), !has("not"))
	case "unsaved":
		p.now.Unsaved = number(arg(1), &err)
	case "load": // load POSITION | load nothing
		if has("nothing") {
			s.Load(p.now, messages.Position{}, false)
			return err
		}
		s.Load(p.now, at(1), true)
	case "open":
		s.Step(p.now, Opened{})
	case "dispatch": // dispatch LAST [unstamped]
		s.Dispatch(p.now, at(1), has("unstamped"))
	case "fold":
		s.Fold(p.now, at(1))
		p.said = "folded up to " + s.Folded().String()
	case "empty": // empty AFTER UPTO
		s.Step(p.now, Empty{After: at(1), UpTo: at(2)})
	case "name": // name LAST ASKED
		asked, parsed := time.ParseDuration(arg(2))
		s.Step(p.now, Naming{Last: at(1), Asked: asked})
		return parsed
	case "misroute": // misroute POSITION SIZE
		p.said = "passed by"
		if s.Misroute(at(1), number(arg(2), &err)) {
			p.said = fmt.Sprintf("kept, %d wait", len(s.forwards.waiting))
		}
	case "forwarded": // forwarded [NEWEST] | forwarded stopped
		m := Forwarded{Stopped: has("stopped")}
		if !m.Stopped && len(words) > 1 {
			newest := at(1)
			m.Newest = &newest
		}
		s.Step(p.now, m)
	case "crowd":
		s.Step(p.now, Crowded{})
	case "skip":
		s.Skip()
	case "saved": // saved | saved not
		s.Saved(p.now, !has("not"))
	case "beat": // beat [DEADLINE LOGTIME WALL] [busy]
		w := Windows{Deadline: NoDeadline, Busy: has("busy")}
		if len(words) > 3 {
			w.Deadline, w.LogTime, w.Wall = int64(number(arg(1), &err)), int64(number(arg(2), &err)), int64(number(arg(3), &err))
		}
		s.Beat(p.now, w)
	case "sleep", "wake": // sleep LOGTIME...
		var waits []int64
		for i := range words[1:] {
			waits = append(waits, int64(number(arg(i+1), &err)))
		}
		if words[0] == "sleep" {
			s.Sleep(waits)
		} else {
			s.Wake(waits)
		}
	case "read": // read NAME AFTER
		r := &Reading{After: at(2), Of: arg(1)}
		p.readings[arg(1)] = r
		s.Step(p.now, r)
	case "forget": // forget NAME
		s.Step(p.now, Forget{p.readings[arg(1)]})
	case "ticked":
		s.Step(p.now, Ticked{})
	case "stop":
		s.Step(p.now, Stop{Last: true})
	case "drop":
		s.Step(p.now, Stop{})
	case "state":
		p.said = fmt.Sprintf("live %t, acts %t, leading %t, may dispatch %t, %d in flight", s.Live(), s.Acts(), s.Leading(), s.MayDispatch(), s.InFlight())
	default:
		err = fmt.Errorf("no such input")
	}
	return err
}

func (p *player) is(what string, yes bool) error {
	switch what {
	case "owned":
		p.now.Owned = yes
	case "stuck":
		p.now.Stuck = yes
	case "failed":
		p.now.Failed = yes
	case "ended":
		p.now.Ended = yes
	default:
		return fmt.Errorf("nothing is called %s", what)
	}
	return nil
}

func number(word string, err *error) int {
	n, wrong := strconv.Atoi(word)
	if wrong != nil {
		*err = wrong
	}
	return n
}
