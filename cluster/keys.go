package cluster

import (
	"encoding/base64"
	"errors"
	"fmt"

	"github.com/hashicorp/memberlist"
)

// Keys encrypt gossip. One is used to encrypt, all may decrypt. To change keys on a running
// cluster: Add the new one on every member, then Use it on every member, then Remove the old one on
// every member.
type Keys struct{ ring *memberlist.Keyring }

// MaxKeys is how many keys there may be at a time.
const MaxKeys = 8

// NewKeys makes a ring of keys of 16, 24 or 32 bytes each; the first one encrypts.
func NewKeys(keys ...[]byte) (*Keys, error) {
	if len(keys) == 0 {
		return nil, errors.New("gossip keys: none given; leave the keys out for plain gossip")
	}
	k := &Keys{}
	var err error
	if k.ring, err = memberlist.NewKeyring(nil, keys[0]); err != nil {
		return nil, fmt.Errorf("gossip key 0 of %d bytes: %w", len(keys[0]), err)
	}
	for i, key := range keys[1:] {
		if err := k.Add(key); err != nil {
			return nil, fmt.Errorf("gossip key %d: %w", i+1, err)
		}
	}
	return k, nil
}

// ParseKey reads a key from base64, as files and flags have it.
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

// Add lets a key decrypt.
func (k *Keys) Add(key []byte) error {
	if len(k.ring.GetKeys()) >= MaxKeys {
		return fmt.Errorf("there are %d gossip keys, at most %d: remove an old one first", len(k.ring.GetKeys()), MaxKeys)
	}
	if err := k.ring.AddKey(key); err != nil {
		return fmt.Errorf("add a gossip key of %d bytes: %w", len(key), err)
	}
	return nil
}

// Use makes a key that was added the one that encrypts.
func (k *Keys) Use(key []byte) error {
	if err := k.ring.UseKey(key); err != nil {
		return fmt.Errorf("use a gossip key: %w: add it first, on every member", err)
	}
	return nil
}

// Remove forgets a key that doesn't encrypt.
func (k *Keys) Remove(key []byte) error {
	if err := k.ring.RemoveKey(key); err != nil {
		return fmt.Errorf("remove a gossip key: %w: use another first", err)
	}
	return nil
}
