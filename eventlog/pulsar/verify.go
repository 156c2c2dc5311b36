package pulsar

import (
	"context"
	"crypto/hmac"
	"fmt"
	"time"

	"github.com/dashfeed/dashfeed/messages"
)

// verdict is what a message's MAC says.
type verdict int

const (
	unsigned verdict = iota // it has none
	valid                   // it was made by us, for this partition
	forged                  // it was not
)

// refusal is why a message that steers is refused by the verdict.
func (v verdict) refusal() string {
	switch v {
	case unsigned:
		return noMAC
	case forged:
		return badMAC
	}
	return ""
}

// claims reports whether a message says that it steers. A packed message may; its records tell.
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

// verify judges a message by its MAC, where it says that it steers or has one. Where its key's id
// was not announced up to now the control topic is asked once more: it names every key before its
// first use. An error is no verdict: of a broker that does not answer, or of a key that was
// announced and that this process has not got, of which the others may think otherwise.
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

// announced reports whether the id stood in the control topic when the message was produced. It
// asks the broker at most once for all messages that the partition has at that moment.
func (d *decoder) announced(ctx context.Context, id keyID, at place) (bool, error) {
	if d.p.tenant.announced.has(id) {
		return true, nil
	}
	if d.announcedUpTo != nil && at.compare(*d.announcedUpTo) <= 0 {
		return false, nil
	}
	ctx, cancel := context.WithTimeoutCause(ctx, d.l.config.Timeout, errPatience)
	defer cancel()
	upTo := at
	if d.p.shard < maxShards { // else its guard is somebody's who reads it
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
