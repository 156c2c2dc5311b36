package event

import (
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// TestProtocolNamesEveryField: docs/PROTOCOL.md names every spelling of every field, every reason
// and every limit.
func TestProtocolNamesEveryField(t *testing.T) {
	b, err := os.ReadFile("../../docs/PROTOCOL.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(b)
	start := strings.Index(page, "\n## Appending events")
	if start < 0 {
		t.Fatal("docs/PROTOCOL.md has no section on events")
	}
	page = page[start+1:]
	page = page[:strings.Index(page, "\n## ")]
	for _, word := range append(Reasons(), names[:]...) {
		if !strings.Contains(page, "`"+word+"`") {
			t.Errorf("docs/PROTOCOL.md: %s is missing from the section on events", word)
		}
	}
	plain := regexp.MustCompile(`(\d),(\d)`).ReplaceAllString(page, "$1$2")
	for what, limit := range map[string]int{
		"of an event": MaxBytes, "of a metric": MaxMetricBytes, "labels": MaxLabels, "of a label's name": MaxLabelNameBytes,
		"of a label's value": MaxLabelValueBytes, "of metadata": MaxMetadataBytes, "of an id": MaxIDBytes, "levels": MaxNesting, "a time": MaxTime,
	} {
		if !regexp.MustCompile(`\b` + strconv.Itoa(limit) + `\b`).MatchString(plain) {
			t.Errorf("docs/PROTOCOL.md: the limit %s, %d, is missing from the section on events", what, limit)
		}
	}
}
