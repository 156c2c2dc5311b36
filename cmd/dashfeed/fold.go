package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/dashfeed/dashfeed/cmd/dashfeed/roles"
	"github.com/dashfeed/dashfeed/cmd/dashfeed/source"
	"github.com/dashfeed/dashfeed/fold"
	"github.com/dashfeed/dashfeed/fold/definition"
	"github.com/dashfeed/dashfeed/messages"
	"github.com/dashfeed/dashfeed/messages/event"
)

// foldCommand folds a file of records with the server's engine. A record is a line:
//
//	{"append":MS,"event":{…}} | {"append":MS,"tick":true} | {"append":MS,"definition":{…}|null}
//
// Its position is its line number, from 1. The command prints one line for each version at which
// cells changed, and a last one:
//
//	{"version":N,"time":MS,"watermark":MS|null,"cells":[[panel,start,end,group,revision,values]…],"removed":[[panel,start,end,group]…]}
//	{"final":true,"version":N,"time":…,"watermark":…,"counters":{…},"late":[…],"refused":[…],"cells":[…]}
type foldCommand struct {
	Definition string `required:"" help:"The dashboard's definition, in force from the beginning." placeholder:"FILE"`
	Log        string `help:"NDJSON records; - is stdin." default:"-" placeholder:"FILE"`
	Batch      int    `help:"Records to read before applying deadlines, as a shard does. It does not change the result." default:"1" placeholder:"N"`
	State      string `help:"Write the encoded state here." placeholder:"OUT"`
}

// Run folds until the end of the log.
func (c *foldCommand) Run(p *program) error {
	if c.Batch < 1 {
		return usage("batch %d is not allowed: at least 1", c.Batch)
	}
	out := bufio.NewWriterSize(p.stdout, 64<<10)
	folding, err := c.open(out)
	if err != nil {
		return err
	}
	in, err := c.input(p.stdin)
	if err != nil {
		return err
	}
	defer in.Close()
	if err := errors.Join(c.foldAll(p, folding, in), out.Flush()); err != nil {
		return err
	}
	if c.State == "" {
		return nil
	}
	return os.WriteFile(c.State, folding.dashboard.Append(nil), 0o644)
}

func (c *foldCommand) open(out io.Writer) (*folding, error) {
	sources, err := source.Read(c.Definition)
	if err != nil {
		return nil, err
	}
	if len(sources) != 1 || sources[0].Definition.Dashboard == "" {
		return nil, usage("%s holds %d definitions: want one, of a dashboard", c.Definition, len(sources))
	}
	return newFolding(sources[0].Definition, out)
}

func (c *foldCommand) input(stdin io.Reader) (io.ReadCloser, error) {
	if c.Log == "-" {
		return io.NopCloser(stdin), nil
	}
	return os.Open(c.Log)
}

func (c *foldCommand) foldAll(p *program, f *folding, in io.Reader) error {
	lines := bufio.NewReaderSize(in, 256<<10)
	for n := uint64(1); ; n++ {
		line, err := readLine(lines)
		if err != nil && err != io.EOF {
			return fmt.Errorf("line %d: %w", n, err)
		}
		if n == 1 {
			line = bytes.TrimPrefix(line, []byte("\ufeff"))
		}
		if len(line) > 0 {
			if wrong := f.line(n, line); wrong != nil {
				return fmt.Errorf("line %d: %w", n, wrong)
			}
			if n%uint64(c.Batch) == 0 {
				f.settle()
			}
		}
		if err == io.EOF {
			return f.finish()
		}
		if p.Err() != nil {
			return p.Err()
		}
	}
}

// maxLineBytes bounds a line: an event of 64 KiB or a definition, with room to spare.
const maxLineBytes = 2 << 20

// readLine returns the next line without its end and surrounding space.
func readLine(r *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		part, err := r.ReadSlice('\n')
		line = append(line, part...)
		if len(line) > maxLineBytes {
			return nil, fmt.Errorf("longer than %d bytes", maxLineBytes)
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return bytes.TrimSpace(line), err
		}
	}
}

// folding folds one dashboard and prints what each step changed.
type folding struct {
	dashboard *fold.Dashboard
	table     fold.Table
	key       messages.Key
	decoder   event.Decoder
	logTime   int64
	defined   uint64 // the number of definition records so far
	printer   *printer
}

func newFolding(d *definition.Definition, out io.Writer) (*folding, error) {
	table := fold.Builtin()
	program, err := fold.Compile(d, table)
	if err != nil {
		return nil, err
	}
	key := messages.Key{Tenant: d.Tenant, Dashboard: d.Dashboard}
	return &folding{
		dashboard: fold.New(key, roles.Region, program), table: table, key: key, logTime: messages.NoTime, printer: newPrinter(out),
	}, nil
}

// record is a line of the log.
type record struct {
	Append     *int64          `json:"append"`
	Event      json.RawMessage `json:"event"`
	Tick       *bool           `json:"tick"`
	Definition json.RawMessage `json:"definition"`
}

// line folds one record.
func (f *folding) line(n uint64, line []byte) error {
	var r record
	d := json.NewDecoder(bytes.NewReader(line))
	d.DisallowUnknownFields()
	if err := d.Decode(&r); err != nil {
		return fmt.Errorf("not a record: %w", err)
	}
	if d.InputOffset() != int64(len(line)) {
		return errors.New("not a record: something follows the object")
	}
	kinds := 0
	for _, given := range []bool{r.Event != nil, r.Tick != nil, r.Definition != nil} {
		if given {
			kinds++
		}
	}
	if r.Append == nil || kinds != 1 || r.Tick != nil && !*r.Tick {
		return errors.New(`not a record: want "append" and one of "event", "tick": true, "definition"`)
	}
	f.logTime = max(f.logTime, *r.Append)
	at := fold.At{Position: messages.Position{Lo: n}, LogTime: f.logTime, Append: *r.Append}
	switch {
	case r.Event != nil:
		return f.event(at, r.Event)
	case r.Definition != nil:
		return f.define(at, r.Definition)
	}
	return nil // a tick has moved log time
}

// event folds an event of the dashboard. An event of another dashboard only moves log time.
func (f *folding) event(at fold.At, payload []byte) error {
	var e event.Event
	err := f.decoder.Decode(payload, &e)
	var refusal *event.Refusal
	if errors.As(err, &refusal) && refusal.Reason != event.ReasonMissingDashboard {
		f.settle()
		f.dashboard.Malformed(at, refusal.Reason)
		f.printer.step(f.dashboard)
		return nil
	}
	if err != nil && refusal == nil {
		return err
	}
	if e.Dashboard != "" && e.Dashboard != f.key.Dashboard || e.Tenant != "" && e.Tenant != f.key.Tenant {
		return nil
	}
	e.Tenant, e.Dashboard = f.key.Tenant, f.key.Dashboard
	f.settle()
	f.dashboard.Event(at, &e)
	f.printer.step(f.dashboard)
	return nil
}

// define folds a definition record; null deletes the dashboard's own definition.
func (f *folding) define(at fold.At, text []byte) error {
	r := definition.Record{Revision: f.defined + 1, Region: roles.Region}
	d := definition.Default(f.key.Tenant)
	if string(text) != "null" {
		var names struct{ Tenant, Dashboard string }
		if json.Unmarshal(text, &names) == nil && (names.Dashboard != "" && names.Dashboard != f.key.Dashboard || names.Tenant != "" && names.Tenant != f.key.Tenant) {
			return nil
		}
		sources, err := source.Parse("definition", text, f.key)
		if err != nil {
			return err
		}
		d = sources[0].Definition
		r.Definition = d
	}
	program, err := fold.Compile(d, f.table)
	if err != nil {
		return err
	}
	f.defined++
	f.settle()
	f.dashboard.Define(at, r, program)
	f.printer.step(f.dashboard)
	return nil
}

// settle applies the deadlines up to log time. Each makes a version.
func (f *folding) settle() {
	for {
		deadline, ok := f.dashboard.Deadline()
		if !ok || deadline > f.logTime {
			return
		}
		f.dashboard.Advance(deadline)
		f.printer.step(f.dashboard)
		if next, ok := f.dashboard.Deadline(); ok && next <= deadline {
			return // the engine returned the same instant twice: Event applies the rest
		}
	}
}

func (f *folding) finish() error {
	f.settle()
	return f.printer.final(f.dashboard)
}
