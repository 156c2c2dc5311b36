package pulsar

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/apache/pulsar-client-go/pulsar"

	"github.com/dashfeed/dashfeed/eventlog"
)

// errMissing says that a topic does not exist.
var errMissing = errors.New("topic missing")

// neededSettings names the settings that a broker needs so that its records can be folded.
const neededSettings = "set in broker.conf (or standalone.conf) brokerEntryMetadataInterceptors=org.apache.pulsar.common.intercept.AppendBrokerTimestampMetadataInterceptor,org.apache.pulsar.common.intercept.AppendIndexMetadataInterceptor and exposingBrokerEntryMetadataToClientEnabled=true, and restart the brokers"

// classify turns a client's error into one of the log's kinds. Some of the client's errors can be
// told by their text only.
func classify(err error) error {
	if err == nil {
		return nil
	}
	var e *pulsar.Error
	text := err.Error()
	has := func(parts ...string) bool {
		for _, p := range parts {
			if strings.Contains(text, p) {
				return true
			}
		}
		return false
	}
	is := func(results ...pulsar.Result) bool {
		if !errors.As(err, &e) {
			return false
		}
		for _, r := range results {
			if e.Result() == r {
				return true
			}
		}
		return false
	}
	switch {
	case errors.Is(err, eventlog.ErrUnreachable), errors.Is(err, eventlog.ErrClosed):
		return err
	case errors.Is(err, pulsar.ErrMessageTooLarge):
		return fmt.Errorf("%w: %w", eventlog.ErrTooLarge, err)
	case is(pulsar.ProducerBlockedQuotaExceededError, pulsar.ProducerBlockedQuotaExceededException), has("BlockedQuota"):
		return fmt.Errorf("%w: the topic's backlog quota is used up: %w", eventlog.ErrFull, err)
	case is(pulsar.AuthenticationError, pulsar.AuthorizationError), has("AuthenticationError", "AuthorizationError"):
		return fmt.Errorf("the broker does not let us in: is the token right, and may its role produce and consume there? %w", err)
	case is(pulsar.TopicNotFound), has("TopicNotFound", "Topic not found", "Namespace not found", "not found for topic"):
		return fmt.Errorf("%w: %w", errMissing, err)
	}
	return unreachable(err)
}

// cause returns why a context of ours ended: the caller's reason, or our own timeout.
func cause(ctx context.Context) error { return unreachable(context.Cause(ctx)) }
