package cluster

import (
	"encoding/base64"
	"errors"
	"fmt"

	"github.com/hashicorp/memberlist"
)

// Keys encrypt gossip. One key encrypts, all can decrypt. To change keys in a running cluster: Add
// the new one on every member, then Use it on every member, then Remove the old one on every
// member.
type Keys struct{ ring *memberlist.Keyring }

// MaxKeys is how many keys may exist at a time.
const MaxKeys = 8

// NewKeys returns a ring of keys of 16, 24 or 32 bytes; the first one encrypts.
func NewKeys(keys ...[]byte) (*Keys, error) {
	if len(keys) == 0 {
		return nil, errors.New("gossip keys: none given; leave out the keys for gossip without encryption")
	}
	k := &Keys{}
	var err error
	if k.ring, err = memberlist.NewKeyring(nil, keys[0]); err != nil {
		return nil, fmt.Errorf("gossip key 0 has %d bytes: %w", len(keys[0]), err)
	}
	for i, key := range keys[1:] {
		if err := k.Add(key); err != nil {
			return nil, fmt.Errorf("gossip key %d: %w", i+1, err)
		}
	}
	return k, nil
}

// ParseKey reads a key in base64, as in files and flags.
func ParseKey(s string) ([]byte, error) {
	key, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		return nil, fmt.Errorf("gossip key is not base64 (openssl rand -base64 32 makes one): %w", err)
	}
	if err := memberlist.ValidateKey(key); err != nil {
		return nil, fmt.Errorf("gossip key has %d bytes, want 16, 24 or 32 (openssl rand -base64 32 makes one)", len(key))
	}
	return key, nil
}

// Add adds a key that can decrypt.
func (k *Keys) Add(key []byte) error {
	if len(k.ring.GetKeys()) >= MaxKeys {
		return fmt.Errorf("there are %d gossip keys, at most %d are allowed: remove an old one first", len(k.ring.GetKeys()), MaxKeys)
	}
	if err := k.ring.AddKey(key); err != nil {
		return fmt.Errorf("add a gossip key of %d bytes: %w", len(key), err)
	}
	return nil
}

// Use makes an added key the one that encrypts.
func (k *Keys) Use(key []byte) error {
	if err := k.ring.UseKey(key); err != nil {
		return fmt.Errorf("use a gossip key: %w: add it first, on every member", err)
	}
	return nil
}

// Remove removes a key that does not encrypt.
func (k *Keys) Remove(key []byte) error {
	if err := k.ring.RemoveKey(key); err != nil {
		return fmt.Errorf("remove a gossip key: %w: use another first", err)
	}
	return nil
}
