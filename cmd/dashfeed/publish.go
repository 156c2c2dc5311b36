package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	"github.com/schollz/progressbar/v3"

	"github.com/dashfeed/dashfeed/client"
	"github.com/dashfeed/dashfeed/messages"
)

// publishCommand sends a file's events to a server, at once or at the pace of their own times.
type publishCommand struct {
	configFlag
	contextFlag
	serverOf
	outputFlag
	File       string        `arg:"" help:"NDJSON, JSON arrays, CSV or TSV, plain or compressed with gzip, zstd or bzip2; - is stdin."`
	Dashboard  string        `help:"Dashboard of events that do not name one." placeholder:"DASHBOARD"`
	Format     string        `help:"ndjson (also arrays), csv or tsv. Without it: by the extension." enum:",ndjson,csv,tsv" default:"" placeholder:"FORMAT"`
	Encoding   string        `help:"Encoding of the file: utf-8, latin1, windows-1252, utf-16, utf-16le, utf-16be. Without it: the byte order mark's, else UTF-8." placeholder:"ENCODING"`
	Map        []string      `help:"CSV: the source of a field of the event: FIELD=COLUMN, FIELD==CONSTANT, FIELD=@row." sep:"none" placeholder:"RULE"`
	MapFile    string        `help:"CSV: a YAML list of mappings; each makes one event of each row." placeholder:"FILE"`
	Delimiter  string        `help:"CSV: the separator of columns, one character or tab. Without it: a comma, in .tsv files a tab." placeholder:"CHAR"`
	Decimal    string        `help:"CSV: the decimal separator of values: . or ,." placeholder:"CHAR"`
	TimeFormat string        `help:"Format of times: ms, s, rfc3339 or a Go layout. Without it: ms or rfc3339." placeholder:"FORMAT"`
	TimeZone   string        `help:"Zone of times that do not name one. Without it: UTC for layouts, and RFC 3339 must name one." placeholder:"ZONE"`
	Null       string        `help:"CSV: texts that mean no value, separated by commas. An empty part means the empty text." default:"NA," placeholder:"TEXT,…"`
	Sort       bool          `help:"Send the events in the order of their times. It holds the file in memory, at most 512 MiB of events."`
	Speed      float64       `help:"Replay this many times as fast as the events' times; 0: as fast as the server accepts them." placeholder:"N"`
	Loop       bool          `help:"Begin again at the end, with times moved forward by whole days and ids suffixed #2, #3 …"`
	Batch      int           `help:"Events in a request, 1-500." default:"500" placeholder:"N"`
	Patience   time.Duration `help:"How long to retry one request while the server does not accept it; 0: for ever." default:"0s" placeholder:"DURATION"`
}

// maxBatch is the greatest number of events in a request.
const maxBatch = 500

// Run publishes until the end of the file, or for ever.
func (c *publishCommand) Run(p *program) error {
	switch {
	case !(c.Speed >= 0) || math.IsInf(c.Speed, 0): // NaN is neither
		return usage("speed %g is not allowed: a number from 0 on", c.Speed)
	case c.Batch < 1 || c.Batch > maxBatch:
		return usage("batch %d is not allowed: 1 to %d", c.Batch, maxBatch)
	case c.Patience < 0:
		return usage("patience %v is not allowed: 0 for ever, or more", c.Patience)
	}
	server, err := (&clientFlags{serverOf: c.serverOf}).open()
	if err != nil {
		return err
	}
	defer server.Close()
	input, err := c.open(p.stdin)
	if err != nil {
		return err
	}
	defer input.Close()
	if err := c.checkSpeed(input); err != nil {
		return err
	}
	return c.send(p, server, input)
}

// send sends all of an input and prints what became of it.
func (c *publishCommand) send(p *program, server *client.Client, in *input) error {
	if c.Dashboard != "" {
		if err := messages.CheckName("dashboard", c.Dashboard); err != nil {
			return usage("%w", err)
		}
	}
	if err := reachable(p, server); err != nil {
		return err
	}
	sending := newSending(p, server, client.PublisherOptions{Dashboard: c.Dashboard, Count: c.Batch, Patience: c.Patience}, in)
	sending.ledger = newLedger(server, c.Tenant)
	err := errors.Join(sending.all(p, c.Speed, c.Loop), sending.close())
	return c.sum(p, sending, err)
}

// checkSpeed refuses a replay that would overtake the clock.
func (c *publishCommand) checkSpeed(in *input) error {
	if c.Speed <= 1 {
		return nil
	}
	least, most, ok, err := in.span()
	if err != nil || !ok {
		return err
	}
	if err := client.NewReplay(c.Speed).Check(time.UnixMilli(least), time.UnixMilli(most)); err != nil {
		return usage("%w", err)
	}
	return nil
}

// sending is a publisher with its input, and the counts of both.
type sending struct {
	program   *program
	publisher *client.Publisher
	input     *input
	ledger    *ledger                         // nil: the outcome is not wanted
	skip      func(e *outgoing) (bool, error) // reports whether to leave an event out; nil: none
	bar       *progressbar.ProgressBar        // nil: no terminal
	began     time.Time
	told      int            // refusals printed one by one
	refused   map[string]int // by reason: events that no door would accept, and that were not sent
	remarks   remarks
}

// printedRefusals is how many refusals are printed one by one; the others are counted.
const printedRefusals = 10

func newSending(p *program, server *client.Client, o client.PublisherOptions, in *input) *sending {
	s := &sending{program: p, input: in, began: time.Now(), refused: map[string]int{}}
	o.Refused = func(r client.Refusal) {
		place := in.name
		if sent, ok := r.Tag.(*sent); ok {
			place = fmt.Sprintf("%s:%d", in.name, sent.line)
		}
		s.tell("%s: refused (%s): %s: %.200s", place, r.Reason, visible(r.Message), visible(string(r.Event)))
	}
	o.Stored = func(b client.Stored) { s.ledger.stored(b) }
	o.Retried = func(attempt int, wait time.Duration, reason error) {
		p.talk("%v; attempt %d in %s", reason, attempt+1, wait.Round(time.Millisecond))
	}
	s.publisher = server.Publisher(o)
	if _, ok := terminal(p.stderr); ok {
		s.bar = progressbar.NewOptions64(in.size, progressbar.OptionSetWriter(p.stderr), progressbar.OptionSetDescription("publishing"),
			progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionSetWidth(20), progressbar.OptionClearOnFinish())
	}
	return s
}

// all sends every event when it is due.
func (s *sending) all(ctx context.Context, speed float64, loop bool) error {
	replay := client.NewReplay(speed)
	for {
		events, err := s.input.next()
		var bad *badInput
		switch {
		case errors.As(err, &bad):
			s.leaveOut(bad)
			continue
		case errors.Is(err, io.EOF) && loop && s.input.sent > 0:
			if err := s.input.again(); err != nil {
				return err
			}
			continue
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		for i := range events {
			if err := s.one(ctx, &events[i], replay); err != nil {
				return err
			}
		}
		s.progress()
	}
}

// one sends one event.
func (s *sending) one(ctx context.Context, e *outgoing, replay *client.Replay) error {
	if s.skip != nil {
		if skip, err := s.skip(e); skip || err != nil {
			return errors.Join(err, ctx.Err())
		}
	}
	s.remarks.add(e)
	if e.timed {
		if err := replay.Wait(ctx, time.UnixMilli(e.ms)); err != nil {
			return err
		}
	}
	tag, err := s.ledger.meet(ctx, e)
	if err != nil {
		return err
	}
	return s.publisher.PublishTagged(ctx, e.payload, tag)
}

// leaveOut reports and counts an event that can't be sent.
func (s *sending) leaveOut(bad *badInput) {
	if bad.reason != "" {
		s.refused[bad.reason]++
	}
	s.tell("%v", bad.err)
}

// tell prints the first few refusals.
func (s *sending) tell(format string, args ...any) {
	if s.told++; s.told <= printedRefusals {
		s.program.talk(format, args...)
	}
	if s.told == printedRefusals {
		s.program.talk("further refusals are only counted")
	}
}

func (s *sending) progress() {
	if s.bar == nil {
		return
	}
	stats := s.publisher.Stats()
	s.bar.Describe(fmt.Sprintf("%d events, %.0f/s, %d refused", stats.Accepted, float64(stats.Accepted)/time.Since(s.began).Seconds(), stats.Refused))
	s.bar.Set64(s.input.read)
}

// closeTimeout bounds the time that an interrupted publish takes to send what it holds.
const closeTimeout = 10 * time.Second

// close sends the rest; after an interrupt, only for a while.
func (s *sending) close() error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	stop := context.AfterFunc(s.program, func() {
		time.AfterFunc(closeTimeout, cancel)
	})
	defer stop()
	err := s.publisher.Close(ctx)
	if s.bar != nil {
		s.bar.Finish()
	}
	return err
}
