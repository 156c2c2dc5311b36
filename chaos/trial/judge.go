package trial

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/dashfeed/dashfeed/chaos/recount"
	"github.com/dashfeed/dashfeed/client"
	"github.com/dashfeed/dashfeed/eventlog/pulsar"
	"github.com/dashfeed/dashfeed/messages"
)

// Verdict is what Judge found.
type Verdict struct {
	Acknowledged uint64 // events
	Records      int    // records of the log
	Updates      int    // updates that viewers were shown
	// versions that viewers were shown and that were compared; needs Config.Record
	Compared int
	Problems []string
}

// String returns the verdict in one line.
func (v Verdict) String() string {
	return fmt.Sprintf("%d events acknowledged, %d records folded again, %d updates seen, %d versions compared, %d problems",
		v.Acknowledged, v.Records, v.Updates, v.Compared, len(v.Problems))
}

// Judge ends the load, waits until gateways and viewers are at the end of the log, and compares:
// every cell and counter at every gateway with the log folded again, every count with what was
// acknowledged and with the ids in the log, and every version that a viewer was shown. It returns
// an error if it could not compare.
func (t *Trial) Judge(ctx context.Context) (Verdict, error) {
	v := Verdict{}
	if err := t.EndLoad(); err != nil {
		return v, err
	}
	log, err := t.openLog(ctx)
	if err != nil {
		return v, err
	}
	defer log.Close()
	r := recount.New(Region)
	if err := t.agree(ctx, r, log); err != nil {
		v.problem("%v", err)
	}
	for _, w := range t.Viewers {
		w.Close()
		v.Updates += w.Counts().Updates
		v.Problems = append(v.Problems, w.Problems()...)
	}
	if t.config.Record {
		r = recount.New(Region)
		for _, w := range t.Viewers {
			r.Expect(messages.DefaultTenant, w.Seen())
		}
		if err := r.Read(ctx, log); err != nil {
			return v, err
		}
		v.Compared = r.Compared()
		v.Problems = append(v.Problems, r.Problems()...)
	}
	v.Acknowledged, v.Records = t.Account.All(), r.Records()
	for _, name := range t.Names {
		d := r.Dashboard(key(name))
		if d == nil {
			v.problem("%s has no record", name)
			continue
		}
		if c, want := d.Counters(), t.Account.Of(name); c.Accepted != want.Count || r.Unique(name) != want.Count || c.Invalid < want.Refused || c.Invalid > want.Odd || c.Future+c.SetAside != 0 {
			v.problem("%s: %d events acknowledged and %d to %d to be refused, the log has %d, folded it gives %+v", name, want.Count, want.Refused, want.Odd, r.Unique(name), c)
		}
	}
	return v, nil
}

func (v *Verdict) problem(format string, args ...any) {
	v.Problems = append(v.Problems, fmt.Sprintf(format, args...))
}

func key(dashboard string) messages.Key {
	return messages.Key{Tenant: messages.DefaultTenant, Dashboard: dashboard}
}

// openLog opens the log as one more reader that takes part in nothing: its guard has a name of its
// own.
func (t *Trial) openLog(ctx context.Context) (*pulsar.Log, error) {
	c := pulsar.Default(t.Cluster.Pulsar.URL, t.Cluster.Pulsar.Admin)
	c.Keys = [][]byte{t.Cluster.Key}
	c.Cluster, c.CheckEvery, c.Logger = "recount", 0, slog.New(slog.NewTextHandler(io.Discard, nil))
	return pulsar.Open(ctx, c)
}

// agree waits until each gateway and each viewer is at the end of the log with every dashboard, and
// all hold the same. Ticks may move the end for some seconds.
func (t *Trial) agree(ctx context.Context, r *recount.Recount, log *pulsar.Log) error {
	ctx, cancel := context.WithTimeoutCause(ctx, 60*time.Second, errors.New("gateways, viewers and log do not agree after 60 s"))
	defer cancel()
	for {
		if err := r.Read(ctx, log); err != nil {
			return err
		}
		err := t.differs(ctx, r)
		if behind := (*recount.ElsewhereError)(nil); err == nil || !errors.As(err, &behind) {
			return err
		}
		select {
		case <-time.After(300 * time.Millisecond):
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", context.Cause(ctx), err)
		}
	}
}

func (t *Trial) differs(ctx context.Context, r *recount.Recount) error {
	for i, c := range t.clients {
		for _, name := range t.Names {
			reading, err := c.Read(ctx, name, client.ReadOptions{})
			if err != nil {
				return fmt.Errorf("%s: read %s: %w", t.Cluster.Gateways[i].Name, name, err)
			}
			if err := r.Differs(key(name), reading); err != nil {
				return fmt.Errorf("%s: %w", t.Cluster.Gateways[i].Name, err)
			}
			if err := t.total(name, reading); err != nil {
				return fmt.Errorf("%s: %w", t.Cluster.Gateways[i].Name, err)
			}
		}
	}
	for _, v := range t.Viewers {
		for name, held := range v.Places() {
			d := r.Dashboard(key(name))
			if d == nil {
				return fmt.Errorf("%s has no record in the log", name)
			}
			there, here := messages.Place{Epoch: held.Epoch, Version: held.Version}, messages.Place{Epoch: d.Epoch(), Version: d.Version()}
			if there != here {
				return fmt.Errorf("a viewer of %s: %w", name, &recount.ElsewhereError{Reading: there, Recount: here})
			}
		}
	}
	return nil
}

// total compares the first cell of a panel named total, count and sum, with the account.
func (t *Trial) total(name string, reading client.Reading) error {
	for i, panel := range reading.Schema {
		if panel.Panel != "total" {
			continue
		}
		for _, raw := range reading.Cells {
			var number, of int
			var values [2]float64
			cell := []any{&number, &of, nil, nil, nil, nil, &values}
			if err := json.Unmarshal(raw, &cell); err != nil || of != i {
				continue
			}
			if want := t.Account.Of(name); values != [2]float64{float64(want.Count), want.Sum} {
				return fmt.Errorf("%s: the panel total says %v, %+v were acknowledged", name, values, want)
			}
			return nil
		}
	}
	return nil
}
