package blob

import (
	"slices"
	"strings"
	"testing"
)

// TestCheckURL: what no driver opens is refused before anything is asked, with what would open it.
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
