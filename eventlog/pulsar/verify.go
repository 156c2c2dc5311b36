package pulsar

import (
	"context"
	"crypto/hmac"
	"fmt"
	"time"

	"github.com/dashfeed/dashfeed/messages"
)

// verdict is the result of checking a message's MAC.
type verdict int

const (
	unsigned verdict = iota // it has no MAC
	valid                   // we made its MAC, for this partition
	forged                  // its MAC is not ours
)

// refusal returns the reason why a steering message with this verdict is refused; "": it is not.
func (v verdict) refusal() string {
	switch v {
	case unsigned:
		return noMAC
	case forged:
		return badMAC
	}
	return ""
}

// claims reports whether a message says that it steers. For a packed message, its records tell.
func claims(properties map[string]string) bool {
	switch properties[kindProperty] {
	case messages.KindDefinition.String(), messages.KindTick.String():
		return true
	}
	return properties[originProperty] != ""
}

// verifyAll appends the verdicts of an entry's messages.
func (d *decoder) verifyAll(ctx context.Context, verdicts []verdict, all []received) ([]verdict, error) {
	for i := range all {
		v, err := d.verify(ctx, all[i])
		if err != nil {
			return verdicts, err
		}
		verdicts = append(verdicts, v)
	}
	return verdicts, nil
}

// verify checks a message's MAC if the message says that it steers, or may. If the MAC's key id is
// not announced yet, verify reads the control topic once more, which names every key before its
// first use. It returns an error if it can't judge: if the broker does not answer, or if the key
// was announced but this process lacks it, since other processes may accept the message.
func (d *decoder) verify(ctx context.Context, m received) (verdict, error) {
	properties := m.Properties
	if len(properties) == 0 || !claims(properties) && properties[kindProperty] != kindPacked {
		return unsigned, nil
	}
	text := properties[macProperty]
	if text == "" {
		return unsigned, nil
	}
	id, mac, ok := parseMAC(text)
	if !ok {
		return forged, nil
	}
	if k := d.p.tenant.keys.find(id); k != nil {
		want := k.mac(d.p, signedOf(properties, m.Key, time.UnixMilli(m.EventTime), m.Payload))
		if hmac.Equal(mac, want[:]) {
			return valid, nil
		}
		return forged, nil
	}
	announced, err := d.announced(ctx, id, m.at())
	switch {
	case err != nil:
		return unsigned, err
	case announced:
		return unsigned, fmt.Errorf("%w: %s, of the record at %s of %s: add that key's line to the file of --cluster-key of this process and start it again", errKeyLess, id, m.at().last(), d.p.topic)
	}
	return forged, nil
}

// announced reports whether the control topic named the id when the message was produced. It asks
// the broker at most once for all messages that the partition has at that moment.
func (d *decoder) announced(ctx context.Context, id keyID, at place) (bool, error) {
	if d.p.tenant.announced.has(id) {
		return true, nil
	}
	if d.announcedUpTo != nil && at.compare(*d.announcedUpTo) <= 0 {
		return false, nil
	}
	ctx, cancel := context.WithTimeoutCause(ctx, d.l.config.Timeout, errTimeout)
	defer cancel()
	upTo := at
	if d.p.shard < maxShards { // otherwise the reader of the partition holds its guard
		last, err := d.l.last(ctx, d.p)
		if err != nil {
			return false, err
		}
		if upTo.last().Compare(last) < 0 {
			upTo = placeAt(last)
		}
	}
	if err := d.l.catchUpControl(ctx); err != nil {
		return false, err
	}
	d.announcedUpTo = &upTo
	return d.p.tenant.announced.has(id), nil
}
