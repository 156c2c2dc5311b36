package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"

	"github.com/dashfeed/dashfeed/eventlog"
	"github.com/dashfeed/dashfeed/feed"
	"github.com/dashfeed/dashfeed/messages/wire"
)

// wire.Codes is the table of codes, with status, retry and meaning.

// writeError answers with the protocol's error body and returns its status. asError translates any
// other error to a *wire.Error.
func writeError(w http.ResponseWriter, err error) (status int) {
	var u unsupported
	if errors.As(err, &u) {
		w.Header().Set("Accept-Encoding", "gzip, identity")
		writeStatus(w, http.StatusUnsupportedMediaType, wire.Errorf(wire.CodeBadOption, "%v", u))
		return http.StatusUnsupportedMediaType
	}
	e := asError(err)
	status = e.Code.Entry().Status
	retryAfter(w, status, e.After)
	if status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Bearer realm="dashfeed"`)
	}
	writeJSON(w, status, struct {
		Error *wire.Error `json:"error"`
	}{e})
	return status
}

// ServeStarting answers every request as a gateway does that is starting. It serves a listener that
// is open before its gateway exists.
func ServeStarting(w http.ResponseWriter, _ *http.Request) {
	writeError(w, wire.Errorf(wire.CodeStarting, "the server is starting: try again"))
}

// retryAfter sets Retry-After, in whole seconds, for the statuses that carry it.
func retryAfter(w http.ResponseWriter, status, afterMs int) {
	switch status {
	case http.StatusRequestEntityTooLarge, http.StatusTooManyRequests, http.StatusServiceUnavailable:
		w.Header().Set("Retry-After", strconv.Itoa(max(1, (afterMs+999)/1000)))
	}
}

// asError translates the errors of a feed to the protocol's errors.
func asError(err error) *wire.Error {
	var e *wire.Error
	switch {
	case errors.As(err, &e):
		return e
	case errors.Is(err, feed.ErrUnknown), errors.Is(err, eventlog.ErrUnknownTenant):
		return unseen
	case errors.Is(err, feed.ErrCrowded):
		return wire.Errorf(wire.CodeCrowded, "%v", err)
	case errors.Is(err, feed.ErrNotInTime), errors.Is(err, context.DeadlineExceeded):
		return wire.Errorf(wire.CodeNotInTime, "the position was not reached in time")
	case errors.Is(err, feed.ErrPartition):
		return wire.Errorf(wire.CodeBadOption, "after: %v", err)
	case errors.Is(err, feed.ErrStarting), errors.Is(err, feed.ErrClosed), errors.Is(err, context.Canceled):
		return wire.Errorf(wire.CodeStarting, "the dashboard's shard is loading: try again")
	}
	return wire.Errorf(wire.CodeStaleOwner, "%v", err)
}

// writeJSON answers with a status and a value, and returns how many bytes the body has.
func writeJSON(w http.ResponseWriter, status int, v any) (n int) {
	body, err := json.Marshal(v)
	if err != nil {
		status, body = http.StatusInternalServerError, []byte(`{"error":{"code":1301,"message":"the answer does not marshal","retry":false,"after":0}}`)
	}
	writeBody(w, status, append(body, '\n'))
	return len(body) + 1
}

// jsonType is shared by all answers; net/http copies it.
var jsonType = []string{"application/json"}

// writeBody answers with a status and JSON.
func writeBody(w http.ResponseWriter, status int, body []byte) {
	w.Header()["Content-Type"] = jsonType
	w.WriteHeader(status)
	_, _ = w.Write(body) // the client may have left
}
