package traffic

import (
	"strconv"
	"time"
)

// event is one event of the traffic. Its number and sender determine all of it except the time.
type event struct {
	id        string
	dashboard string
	value     float64
	time      int64 // ms; 0: the append time counts
	label     int
}

// groups is how many values the label k has.
const groups = 8

// makeEvent returns the n-th event of a sender. Every third event has a time of its own.
func makeEvent(sender string, n int, dashboards []string) event {
	e := event{
		id: sender + "-" + strconv.Itoa(n), dashboard: dashboards[n%len(dashboards)],
		value: float64(n % 97), label: n / len(dashboards) % groups,
	}
	if n%3 == 0 {
		e.time = time.Now().UnixMilli()
	}
	return e
}

// append appends the event's JSON.
func (e *event) append(b []byte) []byte {
	b = append(b, `{"id":"`...)
	b = append(b, e.id...)
	b = append(b, `","dashboard":"`...)
	b = append(b, e.dashboard...)
	b = append(b, `","metric":"m","value":`...)
	b = strconv.AppendFloat(b, e.value, 'f', -1, 64)
	if e.time != 0 {
		b = append(b, `,"time":`...)
		b = strconv.AppendInt(b, e.time, 10)
	}
	b = append(b, `,"labels":{"k":"k`...)
	b = strconv.AppendInt(b, int64(e.label), 10)
	return append(b, `"}}`...)
}
