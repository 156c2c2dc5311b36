package blob

import (
	"slices"
	"strings"
	"testing"
)

// TestCheckURL: a URL without a driver is refused before any request, and the error says how to get
// the driver.
func TestCheckURL(t *testing.T) {
	for _, good := range []string{"file:///var/checkpoints", "s3://bucket?region=eu-central-1"} {
		if err := CheckURL(good); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
	for bad, says := range map[string]string{
		"":             "file://… or s3://…",
		"disk":         "file://… or s3://…",
		"s3://":        "want",
		"file://":      "want",
		"mem://x":      "want",
		"http://x/y":   "want",
		"s3://a b":     "invalid character",
		"gs://bucket":  "TAGS=gcs",
		"azblob://box": "TAGS=azure",
	} {
		if scheme, _, _ := strings.Cut(bad, ":"); optional[scheme] != "" && slices.Contains(Schemes(), scheme) {
			says = "" // this binary has the driver
		}
		err := CheckURL(bad)
		if (err == nil) != (says == "") || err != nil && !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v, want %q", bad, err, says)
		}
	}
}
