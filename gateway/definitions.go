package gateway

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"net/http"
	"strings"
	"time"

	"github.com/dashfeed/dashfeed/eventlog"
	"github.com/dashfeed/dashfeed/feed"
	"github.com/dashfeed/dashfeed/fold/definition"
	"github.com/dashfeed/dashfeed/gateway/limits"
	"github.com/dashfeed/dashfeed/messages"
	"github.com/dashfeed/dashfeed/messages/wire"
)

// DefinitionsConfig says whose definitions are served and where they are appended.
type DefinitionsConfig struct {
	Feed feed.Feed         // required: tells the definition in force
	Log  eventlog.Appender // required
	// allowed aggregates, from fold.Table.Names(); empty: definition.Aggregates
	Aggregates []string
	Limits     *limits.Limits // nil: the defaults
	Room       Room           // nil: not checked; the feed says what the fold refuses
	Region     string         // is written into records; "": local
	Timeout    time.Duration  // how long the log may take; 0: 30 s
	Settle     time.Duration  // how long an answer waits for its record to be in force; 0: 2 s
}

// Definitions serves /v1/dashboards/{id}/definition and /v1/schema/definition.json. A definition is
// a record in the log: PUT and DELETE append one, and answer when it is stored and normally in
// force, so that the next read sees it. It is safe for concurrent use and starts no goroutine.
type Definitions struct {
	cfg    DefinitionsConfig
	bodies bodies
	seed   maphash.Seed
	// A change holds its dashboard's turn from reading the definition in force until its own record is
	// in force. So each change in this gateway sees the one before. Between two gateways, the order of
	// the records decides.
	turns [64]chan struct{}
}

// NewDefinitions returns the handlers of definitions.
func NewDefinitions(cfg DefinitionsConfig) (*Definitions, error) {
	if cfg.Feed == nil || cfg.Log == nil {
		return nil, errors.New("definitions config: feed or log is missing")
	}
	set(&cfg.Region, localRegion)
	set(&cfg.Timeout, 30*time.Second)
	set(&cfg.Settle, 2*time.Second)
	if cfg.Limits == nil {
		cfg.Limits = limits.Default()
	}
	d := &Definitions{cfg: cfg, seed: maphash.MakeSeed()}
	d.bodies = newBodies(definition.MaxBytes, 64*definition.MaxBytes, "a definition", "", cfg.Limits)
	for i := range d.turns {
		d.turns[i] = make(chan struct{}, 1)
	}
	return d, nil
}

// localRegion is the region of a cluster that has no other.
const localRegion = "local"

// definitionDoor reads or changes the definition of k. The caller c has the permission.
type definitionDoor func(ctx context.Context, w http.ResponseWriter, r *http.Request, c caller, k messages.Key) error

// handler serves a method of /v1/dashboards/{id}/definition. It returns nil if there are no
// definitions.
func (d *Definitions) handler(needs permission, serve definitionDoor) handler {
	if d == nil {
		return nil
	}
	return func(w http.ResponseWriter, r *http.Request, _ query, c caller) {
		ctx, cancel := context.WithTimeout(r.Context(), d.cfg.Timeout)
		defer cancel()
		k, err := c.key("", r.PathValue("id"), needs)
		if err == nil {
			err = serve(ctx, w, r, c, k)
		}
		if err != nil {
			writeDefinitionError(w, err)
		}
	}
}

// schema serves /v1/schema/definition.json. It returns nil if there are no definitions.
func (d *Definitions) schema() handler {
	if d == nil {
		return nil
	}
	return func(w http.ResponseWriter, _ *http.Request, _ query, _ caller) {
		w.Header().Set("Content-Type", "application/schema+json")
		_, _ = w.Write(definition.Schema()) // the client may have left
	}
}

// writeDefinitionError is like writeError, but also lists the problems of the text.
func writeDefinitionError(w http.ResponseWriter, err error) {
	var lost *conflict
	if errors.As(err, &lost) {
		w.Header().Set("ETag", quote(lost.inForce))
	}
	var problems definition.Problems
	if !errors.As(err, &problems) {
		writeError(w, err)
		return
	}
	e := wire.Errorf(wire.CodeBadDefinition, "the definition has problems: %s", problems[0].Error())
	writeJSON(w, e.Code.Entry().Status, struct {
		Error    *wire.Error         `json:"error"`
		Problems definition.Problems `json:"problems"`
	}{e, problems})
}

// get answers with the definition in force, in YAML unless the client asks for JSON.
func (d *Definitions) get(ctx context.Context, w http.ResponseWriter, r *http.Request, c caller, k messages.Key) error {
	in, blank, err := inForce(ctx, d.cfg.Feed, k)
	if err != nil {
		return err
	}
	if blank == (messages.Position{}) && (c.identity != nil && !c.identity.Permissions.Has(define)) {
		return unseen
	}
	def, err := definition.ParseCanonical(in.Canonical)
	if err != nil {
		return fmt.Errorf("definition in force of %s: %w", k, err)
	}
	if len(def.Scope) > 0 && c.identity != nil && !c.identity.Permissions.Has(define) {
		return unseen // its filters may name what other viewers have
	}
	// A default names no dashboard. With these names the client can put it back.
	def.Tenant, def.Dashboard = k.Tenant, k.Dashboard
	w.Header().Set("ETag", quote(in.Hash))
	w.Header().Set("Vary", "Accept")
	w.Header().Set("Cache-Control", "no-cache")
	if in.Default {
		w.Header().Set("X-Dashfeed-Default", "true")
	}
	if tagsOf(r.Header.Values("If-None-Match")).name(in.Hash) {
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	body, contentType := def.YAML(), "application/yaml"
	if wantsJSON(r.Header.Get("Accept")) {
		body, contentType = append(def.Canonical(), '\n'), "application/json"
	}
	w.Header().Set("Content-Type", contentType)
	_, _ = w.Write(body) // the client may have left
	return nil
}

// put appends a definition, unless it is in force already.
func (d *Definitions) put(ctx context.Context, w http.ResponseWriter, r *http.Request, c caller, k messages.Key) error {
	if err := d.tooMany(c, k); err != nil {
		return err
	}
	b, err := d.bodies.read(w, r, c)
	defer b.release()
	if err != nil {
		return err
	}
	defs, err := definition.Parse("", bytes.Clone(b.bytes), definition.Options{Aggregates: d.cfg.Aggregates, Key: k})
	if err != nil {
		return err
	}
	def := defs[0] // with a Key, a second document is a problem
	answer := struct {
		Dashboard string `json:"dashboard"`
		Hash      string `json:"hash"`
		Position  string `json:"position"`
		Changed   bool   `json:"changed"`
		Pending   bool   `json:"pending,omitempty"`
	}{Dashboard: k.Dashboard, Hash: def.Hash()}
	if d.cfg.Room != nil {
		by := c.by()
		if _, err := roomOf(ctx, d.cfg.Room, d.cfg.Limits, &by, k, 0, 0); err != nil {
			return err
		}
	}
	done, err := d.change(ctx, r.Header.Values("If-Match"), k, def)
	if err != nil {
		return err
	}
	answer.Position, answer.Changed, answer.Pending = done.position, done.changed, done.pending
	w.Header().Set("ETag", quote(answer.Hash))
	writeJSON(w, done.status(http.StatusOK), answer)
	return nil
}

// delete appends a record that restores the default, unless it applies already.
func (d *Definitions) delete(ctx context.Context, w http.ResponseWriter, r *http.Request, c caller, k messages.Key) error {
	if err := d.tooMany(c, k); err != nil {
		return err
	}
	done, err := d.change(ctx, r.Header.Values("If-Match"), k, nil)
	if err != nil {
		return err
	}
	w.WriteHeader(done.status(http.StatusNoContent))
	return nil
}

// tooMany takes one change from the tenant's limit.
func (d *Definitions) tooMany(c caller, k messages.Key) error {
	by := c.by()
	if err := d.cfg.Limits.Take(limits.TenantDefinitions, &by, limits.Key(k), 1); err != nil {
		return err
	}
	return nil
}

// inForce returns the definition that a dashboard folds by, or would fold its first record by, and
// the position up to which it is folded.
func inForce(ctx context.Context, f feed.Feed, k messages.Key) (feed.DefinitionInForce, messages.Position, error) {
	if k.Dashboard != "" {
		r, err := f.Read(ctx, k, feed.Query{})
		if !errors.Is(err, feed.ErrUnknown) {
			return r.Definition, r.Position, err
		}
	}
	in, err := f.Default(ctx, k)
	in.Default = true
	return in, messages.Position{}, err
}

func quote(hash string) string { return `"` + hash + `"` }

// wantsJSON reports whether an Accept header names JSON before YAML.
func wantsJSON(accept string) bool {
	for part := range strings.SplitSeq(accept, ",") {
		kind, _, _ := strings.Cut(part, ";")
		switch strings.ToLower(strings.TrimSpace(kind)) {
		case "application/json":
			return true
		case "application/yaml", "application/x-yaml", "text/yaml", "text/x-yaml":
			return false
		}
	}
	return false
}
