package roles

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/dashfeed/dashfeed/cmd/dashfeed/admin"
	"github.com/dashfeed/dashfeed/eventlog/pulsar"
	"github.com/dashfeed/dashfeed/gateway/settings"
)

// openSettings opens the settings of the single process.
func (s *Single) openSettings() (err error) {
	s.settings, err = settings.Open(filepath.Join(s.flags.Data, "settings.json"), replace)
	return err
}

// clusterSettings keeps the settings of a cluster in its log. Every process follows them.
type clusterSettings struct {
	board settings.Board
	log   *pulsar.Log
}

var _ settings.Store = (*clusterSettings)(nil)

// learn takes a change from the log.
func (s *clusterSettings) learn(b []byte) error {
	var c settings.Change
	if err := json.Unmarshal(b, &c); err != nil {
		return fmt.Errorf("read a change of the settings: %w", err)
	}
	return s.board.Apply(c)
}

// Board implements settings.Store.
func (s *clusterSettings) Board() *settings.Board { return &s.board }

// Change implements settings.Store. If another change comes first, it tries again after that one.
func (s *clusterSettings) Change(ctx context.Context, c settings.Change) (err error) {
	const tries = 10
	for range tries {
		c.Version, c.At = s.board.Version()+1, time.Now().UnixMilli()
		if err = s.board.Try(c); errors.Is(err, settings.ErrConflict) {
			continue
		}
		if err != nil {
			return err
		}
		b, marshalErr := json.Marshal(c)
		if marshalErr != nil {
			return marshalErr
		}
		if err = s.log.AppendSetting(ctx, b); !errors.Is(err, settings.ErrConflict) {
			return err
		}
	}
	return fmt.Errorf("%w, %d times: try again", err, tries)
}

// knownTenant returns an error unless the cluster has the tenant.
func (c *Clustered) knownTenant(name string) error {
	if _, _, err := c.log.Tenant(name); err != nil {
		return fmt.Errorf("%w tenant %s: tenant list names them", admin.ErrNoSuch, name)
	}
	return nil
}

const (
	// how long a gateway that hears no node admits tokens: revocations are in force within it
	mostUnheard = 5 * time.Second
	// and how long it keeps sessions with tokens; the watch looks once a second
	longestUnheard = 9 * time.Second
)

// cutOff returns why this process may not know what was revoked. A node itself needs no other.
func (c *Clustered) cutOff() error {
	if err := c.log.FollowsSettings(); err != nil {
		return fmt.Errorf("it does not follow the revocations: %w", err)
	}
	if !c.flags.Shards && !c.members.Load().Hears(mostUnheard) {
		return fmt.Errorf("it has heard no node for %v", mostUnheard)
	}
	return nil
}

// tokensMustEnd reports whether sessions with tokens may not be served any longer.
func (c *Clustered) tokensMustEnd() bool {
	return !c.flags.Shards && !c.members.Load().Hears(longestUnheard)
}
