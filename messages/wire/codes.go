package wire

import "fmt"

// Code is an error code, the same over HTTP and WebSocket.
type Code int

// The error codes. Codes says what they mean.
const (
	CodeBadMessage       Code = 1100
	CodeUnauthorized     Code = 1101
	CodeForbidden        Code = 1102
	CodeBadField         Code = 1103
	CodeUnknownDashboard Code = 1104
	CodeBadOption        Code = 1105
	CodeTooBig           Code = 1106
	CodeLimit            Code = 1107
	CodeBadDefinition    Code = 1108
	CodeConflict         Code = 1109
	CodeNotInTime        Code = 1110
	CodeNotAvailable     Code = 1111
	CodeCrowded          Code = 1112
	CodeStarting         Code = 1300
	CodeStaleOwner       Code = 1301
	CodeStorageFull      Code = 1302
	CodeLogUnreachable   Code = 1303
)

// CodeEntry is one line of the table of error codes.
type CodeEntry struct {
	Code   Code
	Word   string // short name, used in docs and as a label of counters
	Status int    // HTTP status
	Retry  bool   // the same request may succeed later
	After  int    // ms a client waits before it retries, unless the error says something else
	Doc    string
}

// Codes is the one table of error codes, in order.
var Codes = []CodeEntry{
	{CodeBadMessage, "bad_message", 400, false, 0, "not JSON, not an object, an unknown type of message, an unknown path, method or query parameter"},
	{CodeUnauthorized, "unauthorized", 401, false, 0, "no token, or an invalid one"},
	{CodeForbidden, "forbidden", 403, false, 0, "the token or the page's origin does not allow this; with status 421, the requested host is not this server's"},
	{CodeBadField, "bad_field", 400, false, 0, "a field or a name in the path is missing, of the wrong type, or not allowed"},
	{CodeUnknownDashboard, "unknown_dashboard", 404, false, 0, "the dashboard has no record, or the caller may not see it"},
	{CodeBadOption, "bad_option", 400, false, 0, "an option has an invalid value: maxRate, since, wait, limit, …"},
	{CodeTooBig, "too_big", 413, false, 1000, "a message, body or event exceeds its limit"},
	{CodeLimit, "limit", 429, true, 1000, "a limit is reached, which the message names"},
	{CodeBadDefinition, "bad_definition", 422, false, 0, "the definition has problems, which are listed beside the error"},
	{CodeConflict, "conflict", 409, false, 0, "If-Match does not name the definition in force, or another one was put at the same moment and is in force now"},
	{CodeNotInTime, "not_in_time", 504, true, 0, "the fold did not pass the position within the wait"},
	{CodeNotAvailable, "not_available", 501, false, 0, "part of the protocol, but this server does not have it yet"},
	{CodeCrowded, "crowded", 507, false, 0, "the dashboard has no record and cannot get one: its shard, or its tenant in it, has reached its limit of dashboards"},
	{CodeStarting, "starting", 503, true, 1000, "the dashboard's shard is loading, or the gateway is starting or stopping"},
	{CodeStaleOwner, "stale_owner", 503, true, 1000, "no node serves the dashboard's shard right now"},
	{CodeStorageFull, "storage_full", 503, true, 5000, "the log refuses appends: its disk is nearly full"},
	{CodeLogUnreachable, "log_unreachable", 503, true, 1000, "the log cannot be reached"},
}

// Entry returns the table's line for c. A code that is not in the table is a bug: its entry says so
// and has status 500.
func (c Code) Entry() CodeEntry {
	for _, e := range Codes {
		if e.Code == c {
			return e
		}
	}
	return CodeEntry{Code: c, Word: "unknown", Status: 500, Doc: "not in the table"}
}

// Error is an error as clients see it, and a Go error.
type Error struct {
	Code    Code   `json:"code"`
	Message string `json:"message"`
	Retry   bool   `json:"retry"`
	After   int    `json:"after"` // ms
}

// Errorf returns an error with a code; Retry and After come from the table.
func Errorf(c Code, format string, args ...any) *Error {
	e := c.Entry()
	return &Error{Code: c, Message: fmt.Sprintf(format, args...), Retry: e.Retry, After: e.After}
}

// Error returns the code and the message.
func (e *Error) Error() string {
	return fmt.Sprintf("%d %s: %s", e.Code, e.Code.Entry().Word, e.Message)
}

// CloseCode is the code of a WebSocket close. 4000-4499: reconnect with backoff; 4500-4999: do not
// reconnect.
type CloseCode int

// The close codes. CloseCodes says what they mean.
const (
	CloseNormal       CloseCode = 1000
	CloseGoingAway    CloseCode = 1001
	CloseProtocol     CloseCode = 1002
	CloseNotText      CloseCode = 1007
	CloseRestart      CloseCode = 1012
	CloseSlow         CloseCode = 4001
	ClosePing         CloseCode = 4002
	CloseOverload     CloseCode = 4003
	CloseDrain        CloseCode = 4004
	CloseBadProtocol  CloseCode = 4500
	CloseUnauthorized CloseCode = 4501
	CloseForbidden    CloseCode = 4502
	CloseTooBig       CloseCode = 4503
	CloseAbuse        CloseCode = 4504
	CloseVersion      CloseCode = 4505
)

// CloseEntry is one line of the table of close codes.
type CloseEntry struct {
	Code CloseCode
	Word string // the reason sent with the close
	Doc  string
}

// CloseCodes is the one table of close codes, in order.
var CloseCodes = []CloseEntry{
	{CloseNormal, "normal", "answers the client's own close"},
	{CloseGoingAway, "going away", "the page or program at the other end goes away"},
	{CloseProtocol, "protocol error", "a frame that violates RFC 6455, or is not masked"},
	{CloseNotText, "not UTF-8", "a text message or close reason that is not UTF-8"},
	{CloseRestart, "restart", "the server stops or restarts: reconnect and resume from the place"},
	{CloseSlow, "slow write", "the socket accepted nothing for too long; if it is full, the code cannot be delivered and the connection just ends"},
	{ClosePing, "ping timeout", "the client sent nothing for too long"},
	{CloseOverload, "overload", "the gateway is overloaded"},
	{CloseDrain, "drain", "the gateway drains: reconnect in the slot that drain named"},
	{CloseBadProtocol, "bad protocol", "ten bad messages in a row"},
	{CloseUnauthorized, "unauthorized", "the token has expired or is invalid"},
	{CloseForbidden, "forbidden", "the token no longer allows this"},
	{CloseTooBig, "too big", "a message exceeds limits.frameBytes"},
	{CloseAbuse, "rate abuse", "more messages than any honest client sends"},
	{CloseVersion, "version", "the client speaks a protocol version that this server does not"},
}

// Word returns the reason that goes with the code.
func (c CloseCode) Word() string {
	for _, e := range CloseCodes {
		if e.Code == c {
			return e.Word
		}
	}
	return ""
}

// MayReconnect reports whether a client that was closed with c should reconnect.
func (c CloseCode) MayReconnect() bool { return c < 4500 || c > 4999 }
