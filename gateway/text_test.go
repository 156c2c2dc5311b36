package gateway

import (
	"net/url"
	"strings"
	"testing"

	"github.com/dashfeed/dashfeed/messages/wire"
)

// TestTextOfClientsIsUnicode: text that is not Unicode names nothing, and is not replaced by text
// that names something else. The refusal says where it is. (Events: messages/event.)
func TestTextOfClientsIsUnicode(t *testing.T) {
	inBubble(t, Config{}, func(t *testing.T, h *testGateway) {
		h.step(func(b *board, v uint64) { b.put(v, panelRPS, "\ufffd", 0, 1, 1) })
		c := h.connect()
		for message, place := range map[string]string{
			`{"type":"subscribe","id":7,"dashboard":"checkout","groups":[["\ud800"]]}`:                  `\ud800, half of a surrogate pair, at byte 62, in "groups"`,
			`{"type":"subscribe","id":7,"dashboard":"checkout","groups":[["x\uDC00\uD800"]]}`:           `\uDC00, half of a surrogate pair, at byte 63, in "groups"`,
			`{"type":"subscribe","id":7,"dashboard":"checkout","groups":[["\ud800"]],"groups":[["a"]]}`: `in "groups"`,
			`{"type":"subscribe","id":7,"dashboard":"check\udbffout"}`:                                  `\udbff, half of a surrogate pair, at byte 45, in "dashboard"`,
			`{"type":"subscribe","id":7,"tenant":"\udfff","dashboard":"checkout"}`:                      `in "tenant"`,
			`{"type":"subscribe","id":7,"dashboard":"checkout","panels":["\ud83d"]}`:                    `in "panels"`,
			`{"type":"subscribe","id":7,"dashboard":"checkout","since":{"epoch":"\ud83d"}}`:             `in "since.epoch"`,
			`{"type":"set","id":7,"view":"\ud800","maxRate":1}`:                                         `in "view"`,
			`{"type":"ping","id":7,"x":"\ud800"}`:                                                       `in "x"`,
			`{"type":"ping","id":7,"\ud800":1}`:                                                         `\ud800, half of a surrogate pair, at byte 23`,
		} {
			c.send(message)
			f := wantOne[*wire.ErrorFrame](c)
			if f.Code != wire.CodeBadField || f.ID == nil || *f.ID != 7 || !strings.Contains(f.Message, place) {
				t.Errorf("%s\n got %s\nwant %s", message, wire.Encode(f), place)
			}
		}
		c.send(`{"type":"subscribe","id":8,"dashboard":"checkout","groups":[["😀\ufffd\ud83d\ude00"]]}`)
		wantOne[*wire.Subscribed](c)

		for query, place := range map[string]string{
			"groups=" + url.QueryEscape(`[["\ud800"]]`): `groups: \\ud800, half of a surrogate pair, at byte 3`,
			"groups=" + url.QueryEscape("[[\"\xff\"]]"): `groups \"[[\\\"\\xff\\\"]]\" is not UTF-8`,
			"panels=%ed%a0%80":                          `is not UTF-8`,
			"since=%ff":                                 `is not UTF-8`,
			"tenant=%c0%af":                             `is not UTF-8`,
		} {
			status, _, body := h.get("/v1/dashboards/checkout?" + query)
			if status != 400 || code(t, body) != wire.CodeBadOption || !strings.Contains(body, place) {
				t.Errorf("%s: %d %s, want %s", query, status, body, place)
			}
		}
		for _, path := range []string{"/v1/dashboards?prefix=%ff", "/v1/dashboards?cursor=%ff", "/v1/dashboards/%ff", "/v1/dashboards/a%00b", "/dashboard/%ed%a0%80", "/v1/ws?tenant=%ff"} {
			up := []string{"Connection", "Upgrade", "Upgrade", "websocket", "Sec-WebSocket-Version", "13", "Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="}
			if status, _, body := h.get(path, up...); status != 400 {
				t.Errorf("%s: %d %s", path, status, body)
			}
		}
	})
}

// TestTextOfDefinitionsIsUnicode: definitions as JSON. The YAML parser itself refuses such text.
func TestTextOfDefinitionsIsUnicode(t *testing.T) {
	l := newDefinitionLog()
	for body, place := range map[string]string{
		"{\"title\":\"a\",\n \"panels\":[{\"id\":\"rps\",\"filter\":\"labels.c == '\\ud800'\"}]}": `"line":2,"column":47,"path":"","message":"\\ud800, half of a surrogate pair, at byte 60, in \"panels\""`,
		"{\"title\":\"\xff\"}":     `"line":1,"column":11,"path":"","message":"byte 0xff, which is not UTF-8, at byte 10, in \"title\""`,
		"title: \"\\ud800\"\n":     `"problems"`,
		"title: \xff\n":            `"problems"`,
		"title: \"a\\0b\"\n" + rps: `control characters`,
	} {
		w := ask(door(t, l), "PUT", definitionPath, body)
		if w.Code != 422 || !strings.Contains(w.Body.String(), place) {
			t.Errorf("%q\n got %d %s\nwant %s", body, w.Code, w.Body, place)
		}
	}
	if len(l.records) > 0 {
		t.Errorf("%d records", len(l.records))
	}
}
