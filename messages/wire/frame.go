package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/dashfeed/dashfeed/messages/event"
)

// Protocol is the WebSocket subprotocol with JSON frames. The other two are reserved and not
// implemented.
const (
	Protocol         = "dashfeed.v1.json"
	ProtocolMsgpack  = "dashfeed.v1.msgpack"
	ProtocolProtobuf = "dashfeed.v1.protobuf"
)

// A frame from the client has an ID that the answer repeats: any whole number, also 0. nil means
// none.

// Frame is one message of the protocol. Encode writes it with its type; the Parse functions return
// pointers.
type Frame interface{ frameType() string }

// Place is the place in a subscribe: epoch and view in hex, view optional.
type Place struct {
	Epoch   string `json:"epoch"`
	Version uint64 `json:"version"`
	View    string `json:"view,omitempty"`
}

// Tuple is a group as JSON carries it: one value for each element of groupBy, nil if the label is
// missing.
type Tuple []*string

// Frames from the client.
type (
	// Connect carries a token that came neither by header nor by cookie.
	Connect struct {
		Token string `json:"token,omitempty"`
	}
	// Subscribe starts a subscription, or moves the one with the same view to Since.
	Subscribe struct {
		ID        *int64   `json:"id,omitempty"`
		Tenant    string   `json:"tenant,omitempty"`
		Dashboard string   `json:"dashboard"`
		Since     *Place   `json:"since,omitempty"`
		Panels    []string `json:"panels,omitempty"` // nil: all
		Groups    []Tuple  `json:"groups,omitempty"` // nil: all; else exactly these
		MaxRate   float64  `json:"maxRate,omitempty"`
	}
	// Set changes the rate of a subscription and keeps its place.
	Set struct {
		ID      *int64   `json:"id,omitempty"`
		View    string   `json:"view"`
		MaxRate *float64 `json:"maxRate"`
	}
	// Ack says up to which version each view has been applied. The first ack of a view turns on
	// flow control for it.
	Ack struct {
		Views map[string]uint64 `json:"views"`
	}
	// Ping asks for a Pong: scripts in a browser cannot see WebSocket's own pings, and must notice
	// a dead socket.
	Ping struct {
		ID *int64 `json:"id,omitempty"`
	}
	// Refresh brings a new token.
	Refresh struct {
		ID    *int64 `json:"id,omitempty"`
		Token string `json:"token"`
	}
	// Unsubscribe ends a subscription.
	Unsubscribe struct {
		ID   *int64 `json:"id,omitempty"`
		View string `json:"view"`
	}
)

// Frames from the server; Update is in update.go.
type (
	// Connected is the first frame of every session.
	Connected struct {
		PingEvery int64  `json:"pingEvery"` // ms
		Limits    Limits `json:"limits"`
		Expires   int64  `json:"expires,omitempty"` // seconds until the token expires; 0: there is none
	}
	// Limits are the limits of a session.
	Limits struct {
		Subscriptions int     `json:"subscriptions"`
		FrameBytes    int     `json:"frameBytes"`
		MaxRate       float64 `json:"maxRate"` // frames a second; 0: no cap
		// how many updates of a view are sent beyond its last ack, once it has sent one
		Unacked int `json:"unacked"`
	}
	// Pong answers Ping.
	Pong struct {
		ID *int64 `json:"id,omitempty"`
	}
	// Subscribed answers Subscribe and Set. It comes without an id when the definition has changed.
	Subscribed struct {
		ID *int64 `json:"id,omitempty"`
		// the view that this one replaces, if the definition has changed
		Was       string  `json:"was,omitempty"`
		Tenant    string  `json:"tenant,omitempty"` // absent: default
		Dashboard string  `json:"dashboard"`
		View      string  `json:"view"`
		Rate      float64 `json:"rate"` // frames a second; 0: every flush
		Resumed   bool    `json:"resumed"`
		Schema    Schema  `json:"schema"`
	}
	// Gap says that what the client holds of the view is invalid; an update from 0 follows.
	Gap struct {
		View string `json:"view"`
		Why  string `json:"why"` // one of Whys
	}
	// Status says how fresh the view is. A view is live until a status says otherwise.
	Status struct {
		View  string `json:"view"`
		State string `json:"state"` // live, stale or moving
		Lag   int64  `json:"lag"`   // ms of log time
		Since *int64 `json:"since"` // ms; null while live
		// with StateExpiring, which has no view: ms until the token expires
		After int64 `json:"after,omitempty"`
	}
	// Expiring is the status of a session whose token expires. ParseFrame returns it as a Status.
	Expiring struct {
		State string `json:"state"`
		After int64  `json:"after"` // ms
	}
	// Unsubscribed answers Unsubscribe: nothing of that view follows.
	Unsubscribed struct {
		ID   *int64 `json:"id,omitempty"`
		View string `json:"view"`
	}
	// Refreshed answers Refresh.
	Refreshed struct {
		ID      *int64   `json:"id,omitempty"`
		Expires int64    `json:"expires"` // seconds
		Revoked []string `json:"revoked"` // views that ended
	}
	// ErrorFrame refuses the message with that id, or ends the view.
	ErrorFrame struct {
		ID *int64 `json:"id,omitempty"`
		// a subscription that this error ends: a panel it asked for no longer exists
		View string `json:"view,omitempty"`
		Error
	}
	// Drain asks the client to reconnect in [After, After+Within) ms.
	Drain struct {
		After  int64 `json:"after"`
		Within int64 `json:"within"`
	}
)

// The reasons of a gap.
const (
	WhyRetention = "retention" // the place is older than the tombstones still kept
	WhyEpoch     = "epoch"     // another history began
	WhyOverflow  = "overflow"  // the server dropped what it held for this view
	WhyAhead     = "ahead"     // the place lies ahead of the server's
	WhyLoss      = "loss"      // the log lost records
)

// The states of a view.
const (
	StateLive   = "live"
	StateStale  = "stale"
	StateMoving = "moving"
	// of a session, not of a view: its token expires
	StateExpiring = "expiring"
)

func (Connect) frameType() string      { return "connect" }
func (Subscribe) frameType() string    { return "subscribe" }
func (Set) frameType() string          { return "set" }
func (Ack) frameType() string          { return "ack" }
func (Ping) frameType() string         { return "ping" }
func (Refresh) frameType() string      { return "refresh" }
func (Unsubscribe) frameType() string  { return "unsubscribe" }
func (Connected) frameType() string    { return "connected" }
func (Pong) frameType() string         { return "pong" }
func (Subscribed) frameType() string   { return "subscribed" }
func (Update) frameType() string       { return "update" }
func (Gap) frameType() string          { return "gap" }
func (Status) frameType() string       { return "status" }
func (Expiring) frameType() string     { return "status" }
func (Unsubscribed) frameType() string { return "unsubscribed" }
func (Refreshed) frameType() string    { return "refreshed" }
func (ErrorFrame) frameType() string   { return "error" }
func (Drain) frameType() string        { return "drain" }

// fromClient and fromServer make an empty frame of a given type.
var (
	fromClient = map[string]func() Frame{
		"connect":     func() Frame { return &Connect{} },
		"subscribe":   func() Frame { return &Subscribe{} },
		"set":         func() Frame { return &Set{} },
		"ack":         func() Frame { return &Ack{} },
		"ping":        func() Frame { return &Ping{} },
		"refresh":     func() Frame { return &Refresh{} },
		"unsubscribe": func() Frame { return &Unsubscribe{} },
	}
	fromServer = map[string]func() Frame{
		"connected":    func() Frame { return &Connected{} },
		"pong":         func() Frame { return &Pong{} },
		"subscribed":   func() Frame { return &Subscribed{} },
		"update":       func() Frame { return &Update{} },
		"gap":          func() Frame { return &Gap{} },
		"status":       func() Frame { return &Status{} },
		"unsubscribed": func() Frame { return &Unsubscribed{} },
		"refreshed":    func() Frame { return &Refreshed{} },
		"error":        func() Frame { return &ErrorFrame{} },
		"drain":        func() Frame { return &Drain{} },
	}
)

// Encode returns the frame's JSON, its type first.
func Encode(f Frame) []byte {
	body, err := json.Marshal(f)
	if err != nil {
		// cannot happen: the frames hold only strings and numbers
		panic(fmt.Sprintf("wire: a %s frame does not marshal: %v", f.frameType(), err))
	}
	b := make([]byte, 0, len(body)+24)
	b = append(b, `{"type":"`...)
	b = append(b, f.frameType()...)
	b = append(b, '"')
	if len(body) > 2 {
		b = append(b, ',')
	}
	return append(b, body[1:]...)
}

// ParseRequest reads a frame from a client. The error is an *Error with code 1100 or 1103. id is
// the message's, nil if it has none or it could not be read.
//
// Text that is not Unicode is refused: replacing it could name another group.
func ParseRequest(b []byte) (f Frame, id *int64, err error) {
	f, id, err = parse(b, fromClient)
	if err != nil {
		return nil, id, err
	}
	if _, err := event.CheckText(b); err != nil {
		return nil, id, Errorf(CodeBadField, "%v", err)
	}
	return f, id, nil
}

// ParseFrame reads a frame from a server: *Connected, *Subscribed, *Update, *Gap, *Status, *Pong,
// *Unsubscribed, *Refreshed, *ErrorFrame or *Drain.
func ParseFrame(b []byte) (Frame, error) {
	if bytes.HasPrefix(b, updateHead) {
		u := &Update{}
		return u, u.UnmarshalJSON(b)
	}
	f, _, err := parse(b, fromServer)
	return f, err
}

func parse(b []byte, known map[string]func() Frame) (Frame, *int64, error) {
	var head struct {
		Type json.RawMessage `json:"type"`
		ID   json.RawMessage `json:"id"`
	}
	if err := json.Unmarshal(b, &head); err != nil {
		var wrong *json.UnmarshalTypeError
		if errors.As(err, &wrong) { // the error's own text names a Go type
			return nil, nil, Errorf(CodeBadMessage, "message is not a JSON object with a type: unexpected %s", wrong.Value)
		}
		return nil, nil, Errorf(CodeBadMessage, "message is not a JSON object with a type: %v", err)
	}
	var id *int64
	if json.Unmarshal(head.ID, &id) != nil {
		id = nil // refused below, with the other fields
	}
	var name *string
	if err := json.Unmarshal(head.Type, &name); head.Type != nil && err != nil {
		return nil, id, Errorf(CodeBadMessage, "message type %.40s is not a string", head.Type)
	}
	if name == nil {
		return nil, id, Errorf(CodeBadMessage, "message has no \"type\"")
	}
	make, ok := known[*name]
	if !ok {
		return nil, id, Errorf(CodeBadMessage, "message type %.40q is not known", *name)
	}
	f := make()
	if err := json.Unmarshal(b, f); err != nil {
		var wrong *json.UnmarshalTypeError
		if errors.As(err, &wrong) {
			return nil, id, Errorf(CodeBadField, "%s: field %q cannot be a %s", *name, wrong.Field, wrong.Value)
		}
		return nil, id, Errorf(CodeBadField, "%s: %v", *name, err)
	}
	return f, id, nil
}
