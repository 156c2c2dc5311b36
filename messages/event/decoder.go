package event

// Decoder reads events. It may be reused, by one goroutine at a time.
type Decoder struct {
	seen   uint32           // one bit for each field that the event has
	fields [fieldCount]span // indexed by the field's first spelling
	// guess[n] is the n-th field of the previous event: producers keep one order.
	guess     [fieldCount]field
	labels    []rawLabel
	many      bool // the event has more than MaxLabels label names
	checkText bool // some of its text may hold escapes or bytes beyond ASCII

	scratch []byte // texts that differ from their bytes in the payload
}

// field is a name that an event may use for one of its fields.
type field uint8

const (
	fieldID field = iota
	fieldTenant
	fieldDashboard
	fieldDashboardSnake
	fieldDashboardCamel
	fieldMetric
	fieldMetricSnake
	fieldMetricCamel
	fieldValue
	fieldTime
	fieldTimestamp
	fieldTs
	fieldLabels
	fieldDims
	fieldMetadata
	fieldProducer
	fieldSequence
	fieldCount // also stands for an unknown name
)

// names holds the fields' names, for messages.
var names = [fieldCount]string{
	"id", "tenant", "dashboard", "dashboard_id", "dashboardId", "metric", "metric_name", "metricName", "value", "time",
	"timestamp", "ts", "labels", "dims", "metadata", "producer", "sequence",
}

// quoted holds each name as it usually begins a member.
var quoted = func() (q [fieldCount + 1]string) {
	for f, name := range names {
		q[f] = `"` + name + `":`
	}
	q[fieldCount] = "\x00" // no guess: occurs in no event
	return q
}()

// first maps each field to its first spelling.
var first = [fieldCount + 1]field{
	fieldID, fieldTenant, fieldDashboard, fieldDashboard, fieldDashboard, fieldMetric, fieldMetric, fieldMetric, fieldValue, fieldTime,
	fieldTime, fieldTime, fieldLabels, fieldLabels, fieldMetadata, fieldProducer, fieldSequence, fieldCount,
}

// The spellings of one field.
const (
	spellingsDashboard = 1<<fieldDashboard | 1<<fieldDashboardSnake | 1<<fieldDashboardCamel
	spellingsMetric    = 1<<fieldMetric | 1<<fieldMetricSnake | 1<<fieldMetricCamel
	spellingsTime      = 1<<fieldTime | 1<<fieldTimestamp | 1<<fieldTs
	spellingsLabels    = 1<<fieldLabels | 1<<fieldDims
)

// span is where a field's value lies in the payload. A repeated field overwrites it, so that only
// the last one is judged.
type span struct {
	start, end int32
	plain      bool // the value is a string that equals its bytes: no escapes, ASCII only
}

// Decode reads one event object as the log holds it. It reuses e's label slice. The error is a
// *Refusal; e is then undefined. An event without dashboard or tenant is accepted with "": the
// record's key decides, and a gateway uses Route. Decode does not refuse wrong values and times but
// marks them by their status: the dashboard judges them.
//
// What the protocol leaves open: a field counts as given even if it is null (ambiguous_field);
// otherwise null means missing. An id or producer is a string, or a number taken as its JSON text.
// Times and sequences are numbers with a whole value, in any notation (1e3, 5.0).
func (d *Decoder) Decode(payload []byte, e *Event) error {
	if len(payload) > MaxBytes {
		return refusedBytes
	}
	d.seen, d.checkText, d.scratch = 0, false, d.scratch[:0]
	i := skipSpace(payload, 0)
	if i == len(payload) {
		return refusedEmpty
	}
	object := payload[i] == '{'
	if object {
		i = d.scanFields(payload, i)
	} else {
		i, d.checkText = skipValue(payload, i, MaxNesting), true
	}
	if i >= 0 {
		if i = skipSpace(payload, i); i < len(payload) {
			i = ^i
		}
	}
	switch {
	case i == tooDeep:
		return refusedNesting
	case i < 0:
		return refuse(ReasonMalformed, "%s", syntax(payload, i))
	}
	if d.checkText {
		if at := notText(payload); at >= 0 {
			return refuseNotText(payload, at)
		}
	}
	if !object {
		return refusedNoObject
	}
	if r := d.judge(payload, e); r != nil {
		return r
	}
	return nil
}

// scanFields records where the values of the object at i lie.
func (d *Decoder) scanFields(b []byte, i int) int {
	i = skipSpace(b, i+1)
	if i < len(b) && b[i] == '}' {
		return i + 1
	}
	for n := 0; ; n++ {
		f, value := d.scanFieldName(b, i, n)
		if value < 0 {
			return value
		}
		if i = d.scanField(b, value, f); i < 0 {
			return i
		}
		var more bool
		if i, more = scanNext(b, i); !more {
			return i
		}
	}
}

// scanFieldName reads the name and colon of the n-th member.
func (d *Decoder) scanFieldName(b []byte, i, n int) (f field, value int) {
	if n < len(d.guess) {
		f = d.guess[n]
		if end := i + len(quoted[f]); end <= len(b) && string(b[i:end]) == quoted[f] {
			return f, skipSpace(b, end)
		}
	}
	name, plain, value := scanName(b, i)
	if value < 0 {
		return fieldCount, value
	}
	if !plain {
		d.checkText = true
		name = []byte(d.text(name, false)) // rare: nobody writes field names with escapes
	}
	f = fieldOf(name)
	if n < len(d.guess) {
		d.guess[n] = f
	}
	return f, value
}

// scanField reads the value at i into the field's span.
func (d *Decoder) scanField(b []byte, i int, f field) (end int) {
	const room = MaxNesting - 1
	var plain bool
	switch {
	case i < len(b) && b[i] == '"':
		end, plain = scanString(b, i)
		if !plain {
			d.checkText = true
		}
	case i < len(b) && b[i] == '{' && (f == fieldLabels || f == fieldDims):
		end = d.scanLabels(b, i, room-1)
	default:
		end = d.skip(b, i, room)
	}
	if end >= 0 && f != fieldCount {
		d.seen |= 1 << f
		d.fields[first[f]] = span{start: int32(i), end: int32(end), plain: plain}
	}
	return end
}

// skip passes over a value that is not a string and records whether its text needs a check.
func (d *Decoder) skip(b []byte, i, room int) (end int) {
	end = skipValue(b, i, room)
	if end >= 0 && (b[i] == '{' || b[i] == '[') {
		d.checkText = d.checkText || skipPlain(b[:end], i) < end
	}
	return end
}

func fieldOf(name []byte) field {
	switch string(name) {
	case "id":
		return fieldID
	case "tenant":
		return fieldTenant
	case "dashboard":
		return fieldDashboard
	case "dashboard_id":
		return fieldDashboardSnake
	case "dashboardId":
		return fieldDashboardCamel
	case "metric":
		return fieldMetric
	case "metric_name":
		return fieldMetricSnake
	case "metricName":
		return fieldMetricCamel
	case "value":
		return fieldValue
	case "time":
		return fieldTime
	case "timestamp":
		return fieldTimestamp
	case "ts":
		return fieldTs
	case "labels":
		return fieldLabels
	case "dims":
		return fieldDims
	case "metadata":
		return fieldMetadata
	case "producer":
		return fieldProducer
	case "sequence":
		return fieldSequence
	}
	return fieldCount
}
