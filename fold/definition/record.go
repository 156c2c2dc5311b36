package definition

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/zeebo/xxh3"
)

// Record is the payload of a definition record: a revision of the definition of a dashboard or,
// under a key without dashboard, of a tenant's default. A nil Definition deletes the dashboard's
// own definition.
type Record struct {
	Revision   uint64 // orders the records of one dashboard, before Region and the hash
	Region     string
	Source     string // the file it was applied from; "" if it came through the API
	Definition *Definition
}

// Order decides between the records of one dashboard, in whatever order they arrive: a record that
// is not after the one in force changes nothing. So a copy of a record, or of an older one, has no
// effect, and regions that write at the same time agree. The zero Order is before every record.
type Order struct {
	Revision uint64
	Region   string
	Hash     uint64 // of the record's canonical form
}

// Order returns the record's order.
func (r Record) Order() Order { return Order{r.Revision, r.Region, xxh3.Hash(r.Append(nil))} }

// After reports whether o is greater than p.
func (o Order) After(p Order) bool {
	return cmp.Or(cmp.Compare(o.Revision, p.Revision), cmp.Compare(o.Region, p.Region), cmp.Compare(o.Hash, p.Hash)) > 0
}

// Append appends the record's JSON. There is only one form:
//
//	{"revision":N,"region":"local","source":"","definition":{canonical}|null}
func (r Record) Append(b []byte) []byte {
	b = append(b, `{"revision":`...)
	b = strconv.AppendUint(b, r.Revision, 10)
	b = append(b, `,"region":`...)
	b = appendJSONText(b, r.Region)
	b = append(b, `,"source":`...)
	b = appendJSONText(b, r.Source)
	b = append(b, `,"definition":`...)
	if r.Definition == nil {
		b = append(b, "null"...)
	} else {
		b = append(b, r.Definition.Canonical()...)
	}
	return append(b, '}')
}

// ParseRecord reads what Append wrote.
func ParseRecord(b []byte) (Record, error) {
	var raw struct {
		Revision   uint64          `json:"revision"`
		Region     string          `json:"region"`
		Source     string          `json:"source"`
		Definition json.RawMessage `json:"definition"`
	}
	if err := json.Unmarshal(b, &raw); err != nil {
		return Record{}, fmt.Errorf("definition record: %w", err)
	}
	r := Record{Revision: raw.Revision, Region: raw.Region, Source: raw.Source}
	if raw.Definition == nil {
		return Record{}, fmt.Errorf("definition record: %q is missing", "definition")
	}
	if string(raw.Definition) == "null" {
		return r, nil
	}
	d, err := ParseCanonical(raw.Definition)
	if err != nil {
		return Record{}, fmt.Errorf("definition record: %w", err)
	}
	r.Definition = d
	return r, nil
}
