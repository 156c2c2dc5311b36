package main

// What the admin listener says and takes, as JSON; the commands print it.

// adminError is the answer to a request that failed.
type adminError struct {
	Error string `json:"error"`
}

// memberAnswer is a line of GET /cluster/members.
type memberAnswer struct {
	Name    string `json:"name"`
	Role    string `json:"role"`  // node, gateway, both
	State   string `json:"state"` // alive, new, draining, silent, gone: see docs/OPERATIONS.md
	Gossip  string `json:"gossip"`
	Link    string `json:"link"`
	Weight  int    `json:"weight"`
	Live    int    `json:"live"`    // shards that it claims
	Loading int    `json:"loading"` //
	Since   string `json:"since"`   // RFC 3339: when it came into the view, or went
}

// shardAnswer is a line of GET /cluster/shards.
type shardAnswer struct {
	Shard     int           `json:"shard"`
	Tenant    string        `json:"tenant"`
	Partition int           `json:"partition"`
	Owner     string        `json:"owner"`  // the highest-ranked node that says live; "": nobody
	State     string        `json:"state"`  // live, loading, nobody
	Ranked    []string      `json:"ranked"` // nodes in order of rank, the first three
	Claims    []claimAnswer `json:"claims"` // what is heard of it
}

// claimAnswer is what one node says of a shard.
type claimAnswer struct {
	Node     string `json:"node"`
	State    string `json:"state"`
	Position string `json:"position"`
}

// ownerAnswer is GET /cluster/owner?tenant=&dashboard=.
type ownerAnswer struct {
	Tenant    string `json:"tenant"`
	Dashboard string `json:"dashboard"`
	shardAnswer
}

// drainRequest is POST /cluster/drain.
type drainRequest struct {
	Node string `json:"node"`
}

// keyAnswer is a line of GET /cluster/keys: never a key itself.
type keyAnswer struct {
	Key     string `json:"key"` // the first bytes of its SHA-256
	Primary bool   `json:"primary"`
}

// keyRequest is POST /cluster/keys.
type keyRequest struct {
	Do  string `json:"do"`  // add, use, remove
	Key string `json:"key"` // base64
}

// tenantAnswer is a line of GET /tenants.
type tenantAnswer struct {
	Name       string `json:"name"`
	First      int    `json:"first"` // its first shard
	Partitions int    `json:"partitions"`
	LogTime    string `json:"log_time"` // broker, ticks
}

// tenantProgress answers POST /tenants, which is asked again until as many shards are live as there
// are partitions.
type tenantProgress struct {
	tenantAnswer
	Made      bool `json:"made"`                 // First is known, and shards are loaded
	Live      int  `json:"live"`                 // shards that a node is live on
	Topics    int  `json:"topics,omitempty"`     // before that: the partitions' topics that are there
	AllTopics int  `json:"all_topics,omitempty"` // of so many
	// why the last try to make it failed; it is tried again
	Trouble string `json:"trouble,omitempty"`
}

// tenantRequest is POST /tenants.
type tenantRequest struct {
	Name       string `json:"name"`
	Partitions int    `json:"partitions"`
	LogTime    string `json:"log_time"`
}

// shardWentOn answers POST /shards/{shard}/accept-loss and /retry.
type shardWentOn struct {
	State string `json:"state"` // live; loading: it goes on, and has not folded all yet
}

// refusedAnswer answers GET /shards/{shard}/refused.
type refusedAnswer struct {
	Counts map[string]uint64 `json:"counts"` // by reason
	Newest []refusalAnswer   `json:"newest"` // at most 100, oldest first
}

type refusalAnswer struct {
	Position string `json:"position"`
	Time     string `json:"time"` // when the log took it
	Reason   string `json:"reason"`
	Producer string `json:"producer"`
}
