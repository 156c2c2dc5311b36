package gateway

import (
	"context"
	"fmt"
	"hash/maphash"
	"net/http"
	"strings"

	"github.com/dashfeed/dashfeed/eventlog"
	"github.com/dashfeed/dashfeed/feed"
	"github.com/dashfeed/dashfeed/fold/definition"
	"github.com/dashfeed/dashfeed/messages"
	"github.com/dashfeed/dashfeed/messages/wire"
)

// change is the result of a PUT or DELETE.
type change struct {
	position string // position of the record, or the position up to which nothing had changed
	changed  bool   // a record was appended
	// the record is stored, but was not folded in time: it is unknown whether it will apply
	pending bool
}

func (c change) status(done int) int {
	if c.pending {
		return http.StatusAccepted
	}
	return done
}

// conflict is the error of a change that does not match the definition in force. The ETag tells
// that definition, too.
type conflict struct {
	inForce string // its hash
	err     *wire.Error
}

func (c *conflict) Error() string { return c.err.Error() }

func (c *conflict) Unwrap() error { return c.err }

func conflictf(in feed.DefinitionInForce, format string, args ...any) error {
	return &conflict{in.Hash, wire.Errorf(wire.CodeConflict, format, args...)}
}

// change appends a record with def (nil: the default applies) if ifMatch is empty or names the
// definition in force, and if def changes anything; `reset: true` always does. If another record is
// in force after its own was folded, the change has lost.
func (d *Definitions) change(ctx context.Context, ifMatch []string, k messages.Key, def *definition.Definition) (done change, err error) {
	turn := d.turns[maphash.Comparable(d.seed, k)%uint64(len(d.turns))]
	select {
	case turn <- struct{}{}:
		defer func() { <-turn }()
	case <-ctx.Done():
		return done, wire.Errorf(wire.CodeNotInTime, "another change of this definition is under way")
	}
	in, at, err := inForce(ctx, d.cfg.Feed, k)
	if err != nil {
		return done, err
	}
	if len(ifMatch) > 0 && !tagsOf(ifMatch).name(in.Hash) {
		return done, conflictf(in, "If-Match is %.80q, in force is %s", strings.Join(ifMatch, ", "), quote(in.Hash))
	}
	partition, err := d.cfg.Log.PartitionOf(k)
	if err != nil {
		return done, logError(err)
	}
	if (def == nil || !def.Reset) && is(in, def) {
		return change{position: fmt.Sprintf("%d:%s", partition, at)}, nil
	}
	record := definition.Record{Revision: in.Revision + 1, Region: d.cfg.Region, Definition: def}
	receipts, err := d.cfg.Log.Append(ctx, []eventlog.Entry{{Kind: messages.KindDefinition, Key: k, Payload: record.Append(nil)}})
	if err != nil {
		return done, logError(err)
	}
	r := receipts[0]
	done = change{position: fmt.Sprintf("%d:%s", r.Partition, r.Position), changed: true}
	settle, cancel := context.WithTimeout(ctx, d.cfg.Settle)
	defer cancel()
	now, err := d.cfg.Feed.Read(settle, k, feed.Query{After: &feed.After{Partition: r.Partition, Position: r.Position}})
	switch {
	case err != nil:
		done.pending = true // it is stored, so this is not a failure
	case !is(now.Definition, def):
		return done, conflictf(now.Definition, "another change came at the same time: in force is %s", quote(now.Definition.Hash))
	}
	return done, nil
}

// is reports whether def is in force; nil is the default.
func is(in feed.DefinitionInForce, def *definition.Definition) bool {
	if def == nil || in.Default {
		return def == nil && in.Default
	}
	return def.Hash() == in.Hash
}
