package gateway

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
)

// Events that are accepted but probably not meant are reported by kind, with their number and the
// first one. None of them is refused.
func TestWarnings(t *testing.T) {
	g := newIngest(t, IngestConfig{Log: openLog(t, nil)})
	for fields, want := range map[string]string{
		`"value":1`: "", `"value":1,"time":null`: "", `"value":1,"time":631152000000`: "", `"value":-0.5,"time":"2026-11-28T16:22:28Z"`: "",
		`"value":1,"time":631151999999`:             "time_before_1990",
		`"value":1,"time":0`:                        "time_before_1990",
		`"value":1,"time":-5`:                       "time_before_1990",
		`"value":1,"time":"1989-12-31T23:59:59Z"`:   "time_before_1990",
		`"value":1,"time":1795422000`:               "time_in_seconds",
		`"value":1,"time":1795422000.5`:             "time_in_seconds",
		`"value":1,"time":1795422000371000`:         "time_in_microseconds",
		`"value":1,"time":1795422000371000000`:      "time_in_nanoseconds",
		`"value":1,"time":"2026-11-28T16:22:28"`:    "time_without_zone",
		`"value":1,"time":"2026-11-28 16:22:28.25"`: "time_without_zone",
		`"value":1,"time":"28.11.2026"`:             "time_invalid",
		`"value":1,"time":true`:                     "time_invalid",
		`"value":1,"time":1e30`:                     "time_invalid",
		`"x":1`:                                     "value_missing",
		`"value":null`:                              "value_missing",
		`"value":"12"`:                              "value_invalid",
		`"value":1e999`:                             "value_invalid",
		`"value":true,"time":1795422000`:            "time_in_seconds value_invalid",
	} {
		w := post(g, "/v1/events", "", "", strings.NewReader(`{"dashboard":"a","metric":"m",`+fields+`}`))
		var got struct {
			Accepted int
			Warnings []ingestWarning
		}
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || w.Code != 202 || got.Accepted != 1 {
			t.Fatalf("%s: %d %s", fields, w.Code, w.Body)
		}
		var kinds []string
		for _, x := range got.Warnings {
			kinds = append(kinds, x.Kind)
			if x.Count != 1 || x.Index != 0 || !strings.HasPrefix(x.Message, "event 0: ") {
				t.Errorf("%s: %+v", fields, x)
			}
		}
		if s := strings.Join(kinds, " "); s != want {
			t.Errorf("%s: warnings %q, want %q", fields, s, want)
		}
	}
}

// However many events there are, an answer has one warning of each kind, and none for refused
// events.
func TestWarningsAreCounted(t *testing.T) {
	g := newIngest(t, IngestConfig{Log: openLog(t, nil)})
	var body strings.Builder
	body.WriteString(`{"dashboard":"a","time":5}` + "\n") // refused: no warning
	for i := range 1000 {
		fmt.Fprintf(&body, `{"dashboard":"a","metric":"m","value":%s,"time":%d}`+"\n", []string{"1", `"1"`}[i%2], 1_795_422_000+i)
	}
	w := post(g, "/v1/events", "", "", strings.NewReader(body.String()))
	var got ingestAnswer
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || got.Accepted != 1000 || len(got.Warnings) != 2 {
		t.Fatalf("%v %s", err, w.Body)
	}
	if s := fmt.Sprint(got.Warnings[0].Kind, got.Warnings[0].Count, got.Warnings[0].Index, got.Warnings[1].Kind, got.Warnings[1].Count, got.Warnings[1].Index); s != "time_in_seconds1000 1value_invalid500 2" {
		t.Errorf("warnings %s: %+v", s, got.Warnings)
	}
	if w := post(g, "/v1/events", "", "", strings.NewReader(`{"dashboard":"a","metric":"m","value":1}`)); strings.Contains(w.Body.String(), "warnings") {
		t.Errorf("nothing is amiss: %s", w.Body)
	}
	page, err := os.ReadFile("../docs/PROTOCOL.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range []string{warnTimeSeconds, warnTimeMicroseconds, warnTimeNanoseconds, warnTimeZone, warnTimeInvalid, warnTimeOld, warnValueMissing, warnValueInvalid} {
		if !strings.Contains(string(page), "`"+kind+"`") {
			t.Errorf("docs/PROTOCOL.md does not name %s", kind)
		}
	}
}
