package admin

import (
	"errors"
	"fmt"

	"github.com/dashfeed/dashfeed/messages"
)

// The requests and answers of the admin listener, as JSON. The commands print them.

// Failure is the answer to a request that failed.
type Failure struct {
	Error string `json:"error"`
}

// Member is a line of GET /cluster/members.
type Member struct {
	Name    string `json:"name"`
	Role    string `json:"role"`  // node, gateway, both
	State   string `json:"state"` // alive, new, draining, silent, gone: see docs/OPERATIONS.md
	Gossip  string `json:"gossip"`
	Link    string `json:"link"`
	Weight  int    `json:"weight"`
	Live    int    `json:"live"`    // shards that it is live on
	Loading int    `json:"loading"` //
	Since   string `json:"since"`   // RFC 3339: when it appeared, or disappeared
}

// ShardStatus is a line of GET /cluster/shards.
type ShardStatus struct {
	Shard     int      `json:"shard"`
	Tenant    string   `json:"tenant"`
	Partition int      `json:"partition"`
	Owner     string   `json:"owner"`  // the highest-ranked node that is live on it; "": none
	State     string   `json:"state"`  // live, loading, nobody
	Ranked    []string `json:"ranked"` // the first three nodes in order of rank
	Claims    []Claim  `json:"claims"` // of the nodes that are heard
}

// Claim is a node's claim on a shard.
type Claim struct {
	Node     string `json:"node"`
	State    string `json:"state"`
	Position string `json:"position"`
}

// Owner answers GET /cluster/owner?tenant=&dashboard=.
type Owner struct {
	Tenant    string `json:"tenant"`
	Dashboard string `json:"dashboard"`
	ShardStatus
}

// DrainRequest is the body of POST /cluster/drain.
type DrainRequest struct {
	Node string `json:"node"`
}

// Key is a line of GET /cluster/keys. It never holds the key itself.
type Key struct {
	Key     string `json:"key"` // the first bytes of its SHA-256
	Primary bool   `json:"primary"`
}

// KeyRequest is the body of POST /cluster/keys.
type KeyRequest struct {
	Do  string `json:"do"`  // add, use, remove
	Key string `json:"key"` // base64
}

// Tenant is a line of GET /tenants.
type Tenant struct {
	Name       string `json:"name"`
	First      int    `json:"first"` // its first shard
	Partitions int    `json:"partitions"`
	LogTime    string `json:"log_time"` // broker, ticks
}

// TenantProgress answers POST /tenants. The client repeats the request until Live is the number of
// partitions.
type TenantProgress struct {
	Tenant
	Made      bool `json:"made"`                 // First is known, and shards are being loaded
	Live      int  `json:"live"`                 // shards that a node is live on
	Topics    int  `json:"topics,omitempty"`     // before that: the partitions' topics that exist
	AllTopics int  `json:"all_topics,omitempty"` // the number that there will be
	// why the last try failed; another try follows
	Trouble string `json:"trouble,omitempty"`
}

// TenantRequest is the body of POST /tenants.
type TenantRequest struct {
	Name       string `json:"name"`
	Partitions int    `json:"partitions"`
	LogTime    string `json:"log_time"`
}

// Resumed answers POST /shards/{shard}/accept-loss and /retry.
type Resumed struct {
	State string `json:"state"` // live; or loading: it is up, and has not folded everything yet
}

// Refused answers GET /shards/{shard}/refused.
type Refused struct {
	Counts map[string]uint64 `json:"counts"` // by reason
	Newest []Refusal         `json:"newest"` // at most 100, oldest first
}

type Refusal struct {
	Position string `json:"position"`
	Time     string `json:"time"` // when the log stored it
	Reason   string `json:"reason"`
	Producer string `json:"producer"`
}

// check returns an error if no tenant can be like this.
func (t TenantRequest) check() error {
	err := messages.CheckName("tenant", t.Name)
	if t.Partitions < 1 || t.Partitions > 1024 {
		err = errors.Join(err, fmt.Errorf("%d partitions are not allowed: 1 to 1024", t.Partitions))
	}
	if t.LogTime != "broker" && t.LogTime != "ticks" {
		err = errors.Join(err, fmt.Errorf("log time %q is not allowed: broker or ticks", t.LogTime))
	}
	return err
}

// String returns the progress as one line.
func (t TenantProgress) String() string {
	switch {
	case t.Made:
		return fmt.Sprintf("tenant %s: %d of %d shards are live", t.Name, t.Live, t.Partitions)
	case t.Trouble != "":
		return fmt.Sprintf("tenant %s: %d of %d topics are made; trying again: %s", t.Name, t.Topics, t.AllTopics, t.Trouble)
	}
	return fmt.Sprintf("tenant %s: %d of %d topics are made", t.Name, t.Topics, t.AllTopics)
}
