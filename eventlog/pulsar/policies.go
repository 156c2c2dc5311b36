package pulsar

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"

	"github.com/dashfeed/dashfeed/eventlog"
	"github.com/dashfeed/dashfeed/eventlog/pulsar/broker"
)

// Problem describes a fault of a topic that loses records, or may.
type Problem struct {
	Topic   string // or a namespace, or a setting of the broker
	What    string // what is wrong
	Command string // the command that repairs it
	Stops   bool   // its shards stop, since what they would show is wrong
}

func (p Problem) String() string { return p.Topic + ": " + p.What + "; mend it by: " + p.Command }

// leastRetention keeps a Reader that is a little behind from losing records: the guard does not
// know where readers are.
const leastRetention = 60 // minutes

// checks holds what the last check of topics and policies found.
type checks struct {
	mu       sync.Mutex
	problems []Problem
}

// Problems returns what the last check found. Open checks, and then the log checks at the
// configured interval.
func (l *Log) Problems() []Problem {
	l.checks.mu.Lock()
	defer l.checks.mu.Unlock()
	return slices.Clone(l.checks.problems)
}

func (l *Log) checkLoop() {
	for eventlog.Pause(l.life, l.config.CheckEvery) {
		l.check(l.life)
	}
}

// check checks every tenant's topics. A check that can't be made is a problem as well.
func (l *Log) check(ctx context.Context) {
	if l.admin == nil {
		return
	}
	t := l.table.Load()
	var found []Problem
	for _, x := range t.tenants {
		ctx, cancel := context.WithTimeoutCause(ctx, l.config.Timeout, errTimeout)
		problems := l.checkTenant(ctx, x)
		cancel()
		var stop error
		for _, p := range problems {
			if p.Stops && stop == nil {
				stop = fmt.Errorf("stopped: %s", p)
			}
		}
		for _, p := range t.shards[x.first : x.first+x.Partitions] {
			p.stop.set(stop)
		}
		found = append(found, problems...)
	}
	if l.life.Err() == nil {
		l.report(found)
	}
}

// report stores the problems and logs the new ones.
func (l *Log) report(found []Problem) {
	l.checks.mu.Lock()
	defer l.checks.mu.Unlock()
	for _, p := range found {
		if !slices.Contains(l.checks.problems, p) {
			l.logger.Warn("a topic or its policies may lose records", "topic", p.Topic, "problem", p.What, "mend", p.Command, "stops", p.Stops)
		}
	}
	l.checks.problems = found
	l.metrics.problems.Set(float64(len(found)))
}

func (l *Log) checkTenant(ctx context.Context, x *tenant) []Problem {
	topic := EventsTopic(x.Name)
	if l.control.unstamped.Load() && x.LogTime == BrokerTime {
		return []Problem{{topic, "the broker gives records no index", neededSettings, true}}
	}
	var made struct{ Partitions int }
	err := l.admin.Get(ctx, broker.TopicPath(topic)+"/partitions", &made)
	switch {
	case broker.Status(err) == http.StatusNotFound || err == nil && made.Partitions == 0:
		return []Problem{{topic, "it is missing", fmt.Sprintf("pulsar-admin topics create-partitioned-topic -p %d %s", x.Partitions, topic), true}}
	case err != nil:
		return l.unseen(topic, err)
	case made.Partitions < x.Partitions:
		return []Problem{{
			topic, fmt.Sprintf("it has %d partitions, the tenant was made with %d: it was made anew by somebody", made.Partitions, x.Partitions),
			fmt.Sprintf("pulsar-admin topics update-partitioned-topic -p %d %s", x.Partitions, topic), true,
		}}
	}
	all := l.checkAdded(x, topic, made.Partitions)
	if l.config.ChecksPolicies != nil && !l.config.ChecksPolicies() {
		return all
	}
	for _, look := range []func(context.Context, string) ([]Problem, error){l.checkGuards, l.checkTTL, l.checkRetention, l.checkQuota, l.checkExpiry} {
		problems, err := look(ctx, topic)
		if err != nil {
			problems = l.unseen(topic, err)
		}
		all = append(all, problems...)
	}
	return all
}

// checkAdded starts to forward the partitions that were added, and reports them: nothing is lost,
// but each record costs a second write.
func (l *Log) checkAdded(x *tenant, topic string, partitions int) []Problem {
	if partitions == x.Partitions {
		return nil
	}
	what := fmt.Sprintf("it has %d partitions, the tenant was made with %d: what is produced to the others is forwarded to its home, a second write for each record", partitions, x.Partitions)
	command := fmt.Sprintf("dashfeed tenant add NAME --partitions %d, and producing for that tenant; partitions can't be taken away", partitions)
	if partitions > MaxPartitions {
		what += fmt.Sprintf("; that of the partitions from %d on is not", MaxPartitions)
		command = fmt.Sprintf("dashfeed tenant add NAME --partitions %d, and producing for that tenant", MaxPartitions)
	}
	if l.config.ForwardAdded {
		l.followAdded(x, min(partitions, MaxPartitions))
	}
	return []Problem{{topic, what, command, false}}
}

// unseen returns the problem of a check that failed. Err reports an unreachable broker, so that is
// none.
func (l *Log) unseen(topic string, err error) []Problem {
	if errors.Is(err, eventlog.ErrUnreachable) {
		return nil
	}
	return []Problem{{topic, "its policies can't be read: " + err.Error(), "give a token whose role may read them", false}}
}

func (l *Log) checkGuards(ctx context.Context, topic string) ([]Problem, error) {
	var stats struct {
		Partitions map[string]struct {
			Subscriptions map[string]struct{}
		}
	}
	if err := l.admin.Get(ctx, broker.TopicPath(topic)+"/partitioned-stats?perPartition=true", &stats); err != nil {
		return nil, err
	}
	guard := GuardName(l.config.Cluster)
	for _, partition := range stats.Partitions {
		if _, ok := partition.Subscriptions[guard]; !ok {
			return []Problem{{topic, fmt.Sprintf("the guard %s is missing: records may go before they are in checkpoints", guard), fmt.Sprintf("pulsar-admin topics create-subscription -s %s -m earliest %s", guard, topic), false}}, nil
		}
	}
	return nil, nil
}

func (l *Log) checkTTL(ctx context.Context, topic string) ([]Problem, error) {
	var seconds *int
	if err := l.admin.Get(ctx, broker.TopicPath(topic)+"/messageTTL?applied=true", &seconds); err != nil || seconds == nil || *seconds == 0 {
		return nil, err
	}
	return []Problem{{topic, fmt.Sprintf("messages live %d s: then the guard is moved past records that are in no checkpoint", *seconds), l.mend(ctx, topic, "messageTTL", "remove-message-ttl", "set-message-ttl -ttl 0"), false}}, nil
}

func (l *Log) checkRetention(ctx context.Context, topic string) ([]Problem, error) {
	var r *struct{ RetentionTimeInMinutes, RetentionSizeInMB int }
	if err := l.admin.Get(ctx, broker.TopicPath(topic)+"/retention?applied=true", &r); err != nil {
		return nil, err
	}
	if r != nil && (r.RetentionTimeInMinutes < 0 || r.RetentionTimeInMinutes >= leastRetention) && r.RetentionSizeInMB != 0 {
		return nil, nil
	}
	return []Problem{{topic, "acknowledged records are kept for less than an hour, or not at all: a reader that is a little behind may lose some", l.mend(ctx, topic, "retention", "remove-retention", "set-retention -t 24h -s -1"), false}}, nil
}

func (l *Log) checkQuota(ctx context.Context, topic string) ([]Problem, error) {
	var quotas map[string]struct{ Policy string }
	if err := l.admin.Get(ctx, broker.TopicPath(topic)+"/backlogQuotaMap?applied=true", &quotas); err != nil {
		return nil, err
	}
	for _, kind := range []string{"destination_storage", "message_age"} {
		if quotas[kind].Policy == "consumer_backlog_eviction" {
			return []Problem{{topic, "its backlog quota evicts records that are in no checkpoint", l.mend(ctx, topic, "backlogQuotaMap", "remove-backlog-quota -t "+kind, "remove-backlog-quota -t "+kind), false}}, nil
		}
	}
	return nil, nil
}

func (l *Log) checkExpiry(ctx context.Context, topic string) ([]Problem, error) {
	namespace := broker.NamespaceOf(topic)
	var minutes *int
	if err := l.admin.Get(ctx, broker.NamespacePath(namespace)+"/subscriptionExpirationTime", &minutes); err != nil || minutes == nil || *minutes == 0 {
		return nil, err
	}
	return []Problem{{namespace, fmt.Sprintf("subscriptions expire after %d minutes: the guard too, while no node runs", *minutes), "pulsar-admin namespaces set-subscription-expiration-time -t 0 " + namespace, false}}, nil
}

// mend returns the command for the level at which the policy is set: a topic's own policy overrides
// its namespace's.
func (l *Log) mend(ctx context.Context, topic, policy, onTopic, onNamespace string) string {
	var own any
	if err := l.admin.Get(ctx, broker.TopicPath(topic)+"/"+policy, &own); err == nil && own != nil {
		if m, ok := own.(map[string]any); !ok || len(m) > 0 {
			return "pulsar-admin topicPolicies " + onTopic + " " + topic
		}
	}
	return "pulsar-admin namespaces " + onNamespace + " " + broker.NamespaceOf(topic)
}
