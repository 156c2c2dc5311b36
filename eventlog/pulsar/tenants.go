package pulsar

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/apache/pulsar-client-go/pulsar"
	"golang.org/x/sync/errgroup"

	"github.com/dashfeed/dashfeed/eventlog"
	"github.com/dashfeed/dashfeed/eventlog/pulsar/broker"
	"github.com/dashfeed/dashfeed/messages"
)

// MaxPartitions is the greatest number of partitions of one tenant.
const MaxPartitions = 1024

const (
	// how long a broker may take to make one partition, beside the timeout of the request
	perPartition = 100 * time.Millisecond
	guardsAtOnce = 8
)

// LogTime says what moves a tenant's log time.
type LogTime string

// The kinds of log time.
const (
	BrokerTime LogTime = "broker" // the time that the broker gave each record
	TickTime   LogTime = "ticks"  // only ticks: for brokers that give no time
)

// Tenant is a tenant as the control topic describes it. It never changes.
type Tenant struct {
	Name       string
	Partitions int     // 1 to MaxPartitions
	LogTime    LogTime // "": BrokerTime

	// Made names this making of the tenant. If Pulsar has lost all its data and the tenant is made
	// again, the name differs, so that positions of both makings, which may coincide, can be told
	// apart. AddTenant draws it, whatever is given. It is "" for a tenant that was made before this
	// field existed.
	Made string
}

// controlRecord is a record of the control topic: a tenant, more keys of one, or a change of the
// settings. Name and partitions mean the same in every version, since they number the shards of all
// later tenants.
type controlRecord struct {
	Version    int     `json:"version"`
	Tenant     string  `json:"tenant"`
	Partitions int     `json:"partitions"`
	LogTime    LogTime `json:"log_time"`
	Made       string  `json:"made,omitempty"`

	// ids of cluster keys that may sign the tenant's records, in addition to those named before
	Keys []string `json:"keys,omitempty"`

	Settings *setting `json:"settings,omitempty"` // nothing else of the record counts then
}

// isOfKeys reports whether the record only names keys.
func (c controlRecord) isOfKeys() bool { return c.Partitions == 0 && len(c.Keys) > 0 }

const controlVersion = 1

func (c controlRecord) tenant() Tenant { return Tenant{c.Tenant, c.Partitions, c.LogTime, c.Made} }

func (t Tenant) validate() error {
	errs := []error{messages.CheckName("tenant", t.Name)}
	if t.Partitions < 1 || t.Partitions > MaxPartitions {
		errs = append(errs, fmt.Errorf("%d partitions are not allowed: 1 to %d", t.Partitions, MaxPartitions))
	}
	if t.LogTime != BrokerTime && t.LogTime != TickTime {
		errs = append(errs, fmt.Errorf("log time %q is not allowed: %s or %s", t.LogTime, BrokerTime, TickTime))
	}
	if t.Made != "" {
		errs = append(errs, messages.CheckName("made", t.Made))
	}
	return errors.Join(errs...)
}

// AddTenant makes the tenant's topics, with their policies and guards, then announces the tenant in
// the control topic, and returns when this log has grown. It is no error if the same tenant exists
// already; a tenant that differs is one, since a tenant never changes. If several processes add it
// at once, the first record counts for all. To finish a tenant that is only partly made, add it
// again.
func (l *Log) AddTenant(ctx context.Context, t Tenant) error {
	if t.LogTime == "" {
		t.LogTime = BrokerTime
	}
	t.Made = rand.Text()
	if err := t.validate(); err != nil {
		return fmt.Errorf("add tenant: %w", err)
	}
	if l.admin == nil {
		return fmt.Errorf("add tenant %s: no admin URL is configured", t.Name)
	}
	if err := l.addTenant(ctx, t); err != nil {
		return fmt.Errorf("add tenant %s: %w", t.Name, err)
	}
	return nil
}

func (l *Log) addTenant(ctx context.Context, t Tenant) error {
	if known := l.table.Load().byName[t.Name]; known != nil {
		return t.same(known.Tenant)
	}
	if have := l.Partitions(); have+t.Partitions > maxShards {
		return fmt.Errorf("%d partitions more than the %d there are is not allowed: a cluster has at most %d", t.Partitions, have, maxShards)
	}
	if err := l.makeTopicsAgain(ctx, t); err != nil {
		return err
	}
	ids := newKeyring(l.config.Keys, t.Name).ids()
	if err := l.announce(ctx, controlRecord{Version: controlVersion, Tenant: t.Name, Partitions: t.Partitions, LogTime: t.LogTime, Made: t.Made, Keys: ids}); err != nil {
		return err
	}
	for {
		grown := l.Grown()
		if known := l.table.Load().byName[t.Name]; known != nil {
			return t.same(known.Tenant)
		}
		if failed := l.control.failed.Load(); failed != nil {
			return *failed
		}
		select {
		case <-grown:
		case <-ctx.Done():
			return unreachable(context.Cause(ctx))
		case <-l.life.Done():
			return eventlog.ErrClosed
		}
	}
}

func (t Tenant) same(other Tenant) error {
	if t.Made = other.Made; t == other {
		return nil
	}
	return fmt.Errorf("it is there already with %d partitions and log time %s, which never changes: asked for %d and %s", other.Partitions, other.LogTime, t.Partitions, t.LogTime)
}

// announce appends the control record.
func (l *Log) announce(ctx context.Context, c controlRecord) error {
	payload, err := json.Marshal(c)
	if err != nil {
		return err
	}
	p, err := l.producing.CreateProducer(pulsar.ProducerOptions{Topic: controlTopic, DisableBatching: true, SendTimeout: l.config.Timeout, BackOffPolicyFunc: broker.NewBackoff})
	if err != nil {
		return l.explain("write to the control topic "+controlTopic, err)
	}
	defer p.Close()
	if _, err := p.Send(ctx, &pulsar.ProducerMessage{Key: c.Tenant, Payload: payload}); err != nil {
		return l.explain("write to the control topic "+controlTopic, err)
	}
	return nil
}

// makeTopicsAgain retries for some seconds if another process is making the same topics at this
// moment, which Pulsar reports in several ways.
func (l *Log) makeTopicsAgain(ctx context.Context, t Tenant) error {
	const tries = 20
	for i := 1; ; i++ {
		err := l.makeTopics(ctx, t)
		switch broker.Status(err) {
		case http.StatusConflict, http.StatusPreconditionFailed, http.StatusInternalServerError, http.StatusServiceUnavailable:
		default:
			return err
		}
		if i == tries || !eventlog.Pause(ctx, broker.LeastWait*time.Duration(i)) {
			return err
		}
	}
}

// makeTopics makes everything that must exist before a producer can know the tenant's topic, above
// all the guard.
func (l *Log) makeTopics(ctx context.Context, t Tenant) error {
	if err := l.makePulsarTenant(ctx, encodeTenant(t.Name)); err != nil {
		return err
	}
	for _, topic := range []string{EventsTopic(t.Name), CheckpointsTopic(t.Name)} {
		if err := l.makeNamespace(ctx, broker.NamespaceOf(topic)); err != nil {
			return err
		}
		path := broker.TopicPath(topic)
		slow := l.admin.Within(l.config.Timeout + time.Duration(t.Partitions)*perPartition)
		if err := slow.Make(ctx, path+"/partitions", t.Partitions); err != nil {
			return err
		}
		var made struct{ Partitions int }
		if err := l.admin.Get(ctx, path+"/partitions", &made); err != nil {
			return err
		}
		if made.Partitions != t.Partitions {
			return fmt.Errorf("the topic %s is there already with %d partitions: ask for as many, or delete it", topic, made.Partitions)
		}
		if err := l.makeGuards(ctx, topic, t.Partitions); err != nil {
			return err
		}
	}
	if t.LogTime == TickTime {
		return l.firstTicks(ctx, t)
	}
	return nil
}

// MadeTopics shows the progress of AddTenant. It counts the tenant's partitions, of events and of
// checkpoints, that the broker has already, and returns how many there will be.
func (l *Log) MadeTopics(ctx context.Context, t Tenant) (made, all int, err error) {
	if l.admin == nil {
		return 0, 0, fmt.Errorf("tenant %s: no admin URL is configured", t.Name)
	}
	for _, topic := range []string{EventsTopic(t.Name), CheckpointsTopic(t.Name)} {
		var names []string
		err := l.admin.Get(ctx, broker.TopicPath(broker.NamespaceOf(topic)), &names)
		if err != nil && broker.Status(err) != http.StatusNotFound {
			return 0, 0, err
		}
		for _, name := range names {
			if strings.HasPrefix(name, topic+"-partition-") {
				made++
			}
		}
	}
	return made, 2 * t.Partitions, nil
}

// firstTicks gives every partition its first log time.
func (l *Log) firstTicks(ctx context.Context, t Tenant) error {
	x := &tenant{Tenant: t, keys: newKeyring(l.config.Keys, t.Name)}
	if len(x.keys) == 0 {
		return errNoKey
	}
	for i := range t.Partitions {
		topic := PartitionTopic(EventsTopic(t.Name), i)
		tick := single(&eventlog.Entry{Kind: messages.KindTick})
		(&partition{tenant: x, number: i}).sign(tick)
		p, err := l.producing.CreateProducer(pulsar.ProducerOptions{Topic: topic, DisableBatching: true, SendTimeout: l.config.Timeout, BackOffPolicyFunc: broker.NewBackoff})
		if err != nil {
			return l.explain("write to "+topic, err)
		}
		_, err = p.Send(ctx, tick)
		p.Close()
		if err != nil {
			return l.explain("write to "+topic, err)
		}
	}
	return nil
}

// makeGuards creates this cluster's subscription on every partition, from the oldest record on. It
// sends one request per partition: a single request for hundreds of partitions takes the broker
// minutes.
func (l *Log) makeGuards(ctx context.Context, topic string, partitions int) error {
	earliest := map[string]any{"ledgerId": -1, "entryId": -1, "partitionIndex": -1}
	guard := "/subscription/" + url.PathEscape(GuardName(l.config.Cluster))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(guardsAtOnce)
	for i := range partitions {
		group.Go(func() error {
			return l.admin.Make(ctx, broker.TopicPath(PartitionTopic(topic, i))+guard, earliest)
		})
	}
	return group.Wait()
}

// makePulsarTenant makes a tenant that is allowed on every cluster that the broker knows. If the
// role may not make tenants, an existing one will do.
func (l *Log) makePulsarTenant(ctx context.Context, name string) error {
	var clusters []string
	if err := l.admin.Get(ctx, "clusters", &clusters); err != nil {
		return err
	}
	clusters = without(clusters, "global")
	err := l.admin.Make(ctx, "tenants/"+url.PathEscape(name), map[string]any{"adminRoles": []string{}, "allowedClusters": clusters})
	if broker.Refused(err) {
		var namespaces []string
		if l.admin.Get(ctx, "namespaces/"+url.PathEscape(name), &namespaces) == nil {
			return nil
		}
		return fmt.Errorf("%w; or make it by hand: pulsar-admin tenants create %s --admin-roles ROLE --allowed-clusters CLUSTER", err, name)
	}
	return err
}

func without(all []string, name string) []string {
	kept := all[:0]
	for _, s := range all {
		if s != name {
			kept = append(kept, s)
		}
	}
	return kept
}

// defaultRetention is how long acknowledged records of a new tenant are kept.
const defaultRetention = 24 * time.Hour

// makeNamespace makes a namespace in which nothing is lost: no time to live, no subscription that
// expires, no quota that evicts, and no topic that is created because somebody mistyped a name.
func (l *Log) makeNamespace(ctx context.Context, namespace string) error {
	path := broker.NamespacePath(namespace)
	if err := l.admin.Make(ctx, path, nil); err != nil {
		return err
	}
	_, name, _ := strings.Cut(namespace, "/")
	for _, p := range policiesOf(namespace, name) {
		if err := l.admin.Do(ctx, p.method, path+"/"+p.path, p.value, nil); err != nil {
			return fmt.Errorf("set %s of %s: %w", p.path, namespace, err)
		}
	}
	return nil
}

type policy struct {
	method, path string
	value        any
}

func policiesOf(namespace, name string) []policy {
	all := []policy{
		{http.MethodPost, "messageTTL", 0},
		{http.MethodPost, "subscriptionExpirationTime", 0},
		{http.MethodPost, "autoTopicCreation", map[string]any{"allowAutoTopicCreation": false}},
	}
	minutes := int(defaultRetention / time.Minute)
	switch {
	case namespace == broker.NamespaceOf(controlTopic):
		minutes = -1
	case name == stateNamespace:
		const compactAt = 64 << 20 // bytes written since the last compaction
		return append(all, policy{http.MethodPut, "compactionThreshold", compactAt})
	}
	return append(all, policy{http.MethodPost, "retention", map[string]any{"retentionTimeInMinutes": minutes, "retentionSizeInMB": -1}})
}

// prepareControl makes the control topic if there is none. If the role may not look, prepareControl
// leaves it to others: reading the topic tells whether they made it.
func (l *Log) prepareControl(ctx context.Context) error {
	path := broker.TopicPath(controlTopic)
	var stats struct{}
	err := l.admin.Get(ctx, path+"/stats?getPreciseBacklog=false", &stats)
	if broker.Refused(err) {
		return nil
	}
	if broker.Status(err) != http.StatusNotFound {
		return err
	}
	namespace := broker.NamespaceOf(controlTopic)
	tenant, _, _ := strings.Cut(namespace, "/")
	if err := l.makePulsarTenant(ctx, tenant); err != nil {
		return err
	}
	if err := l.makeNamespace(ctx, namespace); err != nil {
		return err
	}
	return l.admin.Make(ctx, path, nil)
}

// String returns the tenant as a listing shows it.
func (t Tenant) String() string {
	return t.Name + ", " + strconv.Itoa(t.Partitions) + " partitions, log time " + string(t.LogTime)
}
