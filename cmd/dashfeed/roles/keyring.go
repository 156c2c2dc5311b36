package roles

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/dashfeed/dashfeed/cluster"
	"github.com/dashfeed/dashfeed/cmd/dashfeed/admin"
	"github.com/dashfeed/dashfeed/cmd/dashfeed/keys"
)

var errPlainGossip = fmt.Errorf("%w: the gossip is not encrypted; start every process with --gossip-key", admin.ErrRefused)

// keyring holds the gossip's keys, and what may be shown of them.
type keyring struct {
	keys *cluster.Keys

	mu   sync.Mutex
	held [][]byte // the key that encrypts comes first
}

func newKeyring(keys [][]byte) (*keyring, error) {
	ring, err := cluster.NewKeys(keys...)
	if err != nil {
		return nil, err
	}
	return &keyring{keys: ring, held: keys}, nil
}

func (k *keyring) list() []admin.Key {
	k.mu.Lock()
	defer k.mu.Unlock()
	var all []admin.Key
	for i, key := range k.held {
		all = append(all, admin.Key{Key: keys.Fingerprint(key), Primary: i == 0})
	}
	return all
}

// change adds, uses or removes a key.
func (k *keyring) change(do string, key []byte) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	at := slices.IndexFunc(k.held, func(h []byte) bool { return bytes.Equal(h, key) })
	var err error
	switch do {
	case "add":
		if err = k.keys.Add(key); err == nil && at < 0 {
			k.held = append(k.held, key)
		}
	case "use":
		if err = k.keys.Use(key); err == nil && at > 0 {
			k.held[0], k.held[at] = k.held[at], k.held[0]
		}
	case "remove":
		if err = k.keys.Remove(key); err == nil && at >= 0 {
			k.held = slices.Delete(k.held, at, at+1)
		}
	default:
		return admin.BadRequest{Err: fmt.Errorf("do %.20q is not allowed: add, use or remove", do)}
	}
	if err != nil {
		return errors.Join(admin.ErrRefused, err)
	}
	return nil
}
