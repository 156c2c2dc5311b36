package event

// rawLabel is a label as scanned; kind is the first byte of its value's JSON text.
type rawLabel struct {
	name, value string
	kind        byte
}

// scanLabels reads the object at i into d.labels, ordered by name, each name once with its last
// value.
func (d *Decoder) scanLabels(b []byte, i, room int) int {
	d.labels, d.many = d.labels[:0], false
	i = skipSpace(b, i+1)
	if i < len(b) && b[i] == '}' {
		return i + 1
	}
	for {
		raw, plain, start := scanName(b, i)
		if start < 0 {
			return start
		}
		l := rawLabel{name: d.text(raw, plain)}
		if !plain {
			d.checkText = true
		}
		var end int
		if start < len(b) && b[start] == '"' {
			if end, plain = scanString(b, start); end >= 0 {
				l.value = d.text(b[start+1:end-1], plain)
			}
			if !plain {
				d.checkText = true
			}
		} else if end = d.skip(b, start, room); end >= 0 {
			l.value = alias(b[start:end])
		}
		if end < 0 {
			return end
		}
		l.kind = b[start]
		d.putLabel(l)
		var more bool
		if i, more = scanNext(b, end); !more {
			return i
		}
	}
}

// putLabel inserts from the end: producers mostly write labels in one order, often sorted.
func (d *Decoder) putLabel(l rawLabel) {
	at := len(d.labels)
	for at > 0 && d.labels[at-1].name > l.name {
		at--
	}
	if at > 0 && d.labels[at-1].name == l.name {
		d.labels[at-1] = l
		return
	}
	if len(d.labels) == MaxLabels {
		d.many = true
		return
	}
	d.labels = append(d.labels, rawLabel{})
	copy(d.labels[at+1:], d.labels[at:])
	d.labels[at] = l
}

// judgeLabels puts the scanned labels into e.
func (d *Decoder) judgeLabels(b []byte, e *Event) *Refusal {
	raw := d.raw(b, fieldLabels, spellingsLabels)
	if raw == nil {
		return nil
	}
	if raw[0] != '{' {
		return refuse(ReasonBadLabel, "%q is %s, it must be an object", d.spelled(spellingsLabels), kindOf(raw[0]))
	}
	if d.many {
		return refusedLabels
	}
	for i := range d.labels {
		l := &d.labels[i]
		if !ValidLabelName(l.name) {
			return refuse(ReasonBadLabel, "label name %q is not allowed: 1-%d bytes of A-Z a-z 0-9 _ . -, beginning with a letter or _",
				shown(l.name), MaxLabelNameBytes)
		}
		if l.kind == '{' || l.kind == '[' || l.kind == 'n' {
			return refuse(ReasonBadLabel, "label %q is %s, it must be a string, a number or a boolean", l.name, kindOf(l.kind))
		}
		if len(l.value) > MaxLabelValueBytes {
			return refuse(ReasonTooLarge, "label %q is %d bytes, at most %d are allowed", l.name, len(l.value), MaxLabelValueBytes)
		}
		e.Labels = append(e.Labels, Label{Name: l.name, Value: l.value})
	}
	return nil
}

// ValidLabelName reports whether s may name a label: 1-64 bytes [A-Za-z_][A-Za-z0-9_.-]*.
func ValidLabelName(s string) bool {
	if s == "" || len(s) > MaxLabelNameBytes {
		return false
	}
	for i := range len(s) {
		c := s[i]
		letter := 'a' <= c|0x20 && c|0x20 <= 'z' || c == '_'
		if !letter && (i == 0 || !('0' <= c && c <= '9' || c == '.' || c == '-')) {
			return false
		}
	}
	return true
}
