package traffic

import (
	"context"
	"fmt"
	"strconv"

	"github.com/apache/pulsar-client-go/pulsar"
)

// oddEvery is how many events a ForeignProducer sends per odd message: a message with the
// properties of a steering record, as a copied topic has it, one that nobody here can decrypt, or
// one that names no dashboard. Dashfeed must refuse each once, and lose none of the events beside
// it.
const oddEvery = 25

// odd lists the kinds, with properties and key; an empty key stands for the dashboard's key.
var odd = [...]struct {
	properties map[string]string
	key        string
	payload    string // "": an event's payload
	encrypted  bool
	atHome     bool // its dashboard counts it as invalid; otherwise its shard does
}{
	{properties: map[string]string{"dashfeed-origin": "0:ffffffffffffffffffffffffffffffff"}, atHome: true},
	{properties: map[string]string{"dashfeed-origin": "1:ffffffffffffffffffffffffffffffff", "dashfeed-mac": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}, atHome: true},
	{properties: map[string]string{"dashfeed": "definition"}, atHome: true},
	{properties: map[string]string{"dashfeed": "tick"}},
	{properties: map[string]string{"dashfeed": "packed"}},
	{key: "nobody/else"},
	{key: "no name", payload: `{"metric":"m","value":1}`},
	{payload: `{"dashboard":"another","metric":"m","value":1}`, atHome: true},
	{encrypted: true, atHome: true},
}

// sendOdd sends the nth kind once: if the broker does not answer, it is unknown whether the message
// was stored.
func (s *ForeignProducer) sendOdd(p *producers, n int) {
	o, dashboard := odd[n%len(odd)], s.Dashboards[n%len(s.Dashboards)]
	m := &pulsar.ProducerMessage{
		Key: dashboard, Payload: fmt.Appendf(nil, `{"id":"odd-%s-%d","metric":"m","value":1}`, s.Name, n),
		Properties: map[string]string{wayProperty: strconv.Itoa(int(Home)), "dashboard": dashboard},
	}
	for name, value := range o.properties {
		m.Properties[name] = value
	}
	if o.key != "" {
		m.Key = o.key
	}
	if o.payload != "" {
		m.Payload = []byte(o.payload)
	}
	to := p.plain[n%len(p.plain)]
	if o.encrypted {
		to = p.encrypting
	}
	if o.atHome {
		s.Account.odd(dashboard, 0, 1)
	}
	to.SendAsync(context.Background(), m, func(_ pulsar.MessageID, _ *pulsar.ProducerMessage, err error) {
		if err == nil && o.atHome {
			s.Account.odd(dashboard, 1, 0)
		}
	})
}
