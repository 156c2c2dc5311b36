package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/dashfeed/dashfeed/eventlog"
	"github.com/dashfeed/dashfeed/feed"
	"github.com/dashfeed/dashfeed/fold/definition"
	"github.com/dashfeed/dashfeed/messages"
)

// DefinitionFiles applies definitions from files at start. It appends a definition if its hash
// differs from the one last applied from the same file. So a later PUT survives a restart, and a
// changed file overrides it.
type DefinitionFiles struct {
	Feed   feed.Feed
	Log    eventlog.Appender
	Region string // "": local

	// Load and Save keep what was last applied, as JSON, between runs. Load returns nil if nothing was
	// saved yet. What one process saves between Load and Save of another process is lost, so processes
	// that apply files must take turns.
	Load func() ([]byte, error)
	Save func([]byte) error
}

// applied holds the hash that was last applied, by source, then by tenant/dashboard (tenant/ for a
// default).
type applied map[string]map[string]string

// Apply applies the definitions of one file; source is its name. A definition without dashboard is
// its tenant's default and goes to every partition. Apply returns how many were appended, also with
// an error. A definition that cannot be applied, because its shard is not served, does not prevent
// the others, and those that were applied are remembered.
func (f *DefinitionFiles) Apply(ctx context.Context, source string, defs []*definition.Definition) (changed int, err error) {
	state, err := f.load()
	if err != nil {
		return 0, err
	}
	last := state[source]
	var errs []error
	// A definition that is no longer in the file is forgotten: if it comes back, it counts as changed.
	now := map[string]string{}
	for _, def := range defs {
		k := messages.Key{Tenant: def.Tenant, Dashboard: def.Dashboard}
		name, hash := k.String(), def.Hash()
		if last[name] == hash {
			now[name] = hash
			continue
		}
		did, err := f.apply(ctx, source, k, def)
		if did {
			changed++
		}
		if err == nil {
			now[name] = hash
			continue
		}
		errs = append(errs, fmt.Errorf("apply %s of %s: %w", k, source, err))
		if h, ok := last[name]; ok { // keep it for the next attempt
			now[name] = h
		}
	}
	state[source] = now
	return changed, errors.Join(append(errs, f.save(state))...)
}

func (f *DefinitionFiles) apply(ctx context.Context, source string, k messages.Key, def *definition.Definition) (changed bool, err error) {
	in, _, err := inForce(ctx, f.Feed, k)
	if err != nil {
		return false, err
	}
	if k.Dashboard != "" && !in.Default && in.Hash == def.Hash() && !def.Reset {
		// a tenant's default may be in force in one partition and not yet in another
		return false, nil
	}
	region := f.Region
	set(&region, localRegion)
	record := definition.Record{Revision: in.Revision + 1, Region: region, Source: source, Definition: def}
	entry := eventlog.Entry{Kind: messages.KindDefinition, Key: k, Payload: record.Append(nil)}
	entries := []eventlog.Entry{entry}
	if k.Dashboard == "" {
		entries = nil
		first, n, err := f.Log.Tenant(k.Tenant)
		if err != nil {
			return false, err
		}
		for entry.Partition = first; entry.Partition < first+n; entry.Partition++ {
			entries = append(entries, entry)
		}
	}
	_, err = f.Log.Append(ctx, entries)
	return err == nil, err
}

func (f *DefinitionFiles) load() (applied, error) {
	b, err := f.Load()
	if err != nil {
		return nil, fmt.Errorf("load what was last applied: %w", err)
	}
	state := applied{}
	if len(b) == 0 {
		return state, nil
	}
	if err := json.Unmarshal(b, &state); err != nil {
		return nil, fmt.Errorf("read what was last applied: %w", err)
	}
	if state == nil { // the JSON was null
		state = applied{}
	}
	return state, nil
}

func (f *DefinitionFiles) save(state applied) error {
	b, err := json.MarshalIndent(state, "", "  ")
	if err != nil {
		return fmt.Errorf("write what was last applied: %w", err)
	}
	if err := f.Save(append(b, '\n')); err != nil {
		return fmt.Errorf("save what was last applied: %w", err)
	}
	return nil
}
