package client

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// Error is an error answer of the server. docs/PROTOCOL.md lists the codes.
type Error struct {
	Status  int // HTTP status; 0 if it came over a WebSocket
	Code    int // 1100-1399; 0 if the answer was not Dashfeed's
	Message string
	Retry   bool          // the same request may succeed later
	After   time.Duration // earliest time of a retry

	Problems []Problem // of a definition (code 1108)
}

// Problem is one mistake in a definition.
type Problem struct {
	File    string   `json:"file,omitempty"`
	Line    int      `json:"line"`
	Column  int      `json:"column"`
	Path    string   `json:"path"`
	Message string   `json:"message"`
	Allowed []string `json:"allowed,omitempty"`
	Nearest string   `json:"nearest,omitempty"`
}

func (e *Error) Error() string {
	if e.Code == 0 {
		return fmt.Sprintf("%s (HTTP %d)", e.Message, e.Status)
	}
	return fmt.Sprintf("%s (code %d)", e.Message, e.Code)
}

// UnreachableError says that no answer came: it is unknown whether the server handled the request.
type UnreachableError struct {
	Server string
	Err    error
}

func (e *UnreachableError) Error() string {
	return fmt.Sprintf("could not reach %s: %v", e.Server, e.Err)
}
func (e *UnreachableError) Unwrap() error { return e.Err }

// errorBody is the body of an HTTP error answer.
type errorBody struct {
	Error struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
		Retry   bool   `json:"retry"`
		After   int64  `json:"after"` // ms
	} `json:"error"`
	Problems []Problem `json:"problems"`
}

// answered makes an Error from an answer with a status of 400 or more.
func answered(status int, header http.Header, body []byte) *Error {
	e := &Error{Status: status, Message: http.StatusText(status), Retry: status == http.StatusTooManyRequests || status >= 502}
	var b errorBody
	if json.Unmarshal(body, &b) == nil && b.Error.Code != 0 {
		e.Code, e.Message, e.Retry, e.Problems = b.Error.Code, b.Error.Message, b.Error.Retry, b.Problems
		e.After = time.Duration(b.Error.After) * time.Millisecond
	}
	if s, err := strconv.ParseFloat(header.Get("Retry-After"), 64); err == nil && s > 0 {
		e.After = max(e.After, time.Duration(s*float64(time.Second)))
	}
	return e
}
