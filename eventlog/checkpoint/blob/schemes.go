package blob

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	gocloud "gocloud.dev/blob"
)

// optional lists the drivers that are in a build only with their tag: together they are a third of
// the binary, and few people need them.
var optional = map[string]string{"gs": "gcs", "azblob": "azure"}

// Schemes returns the sorted URL schemes that this binary can open: file and s3, gs if it was built
// with the tag gcs, azblob with the tag azure.
func Schemes() []string {
	return slices.DeleteFunc(gocloud.DefaultURLMux().BucketSchemes(), func(s string) bool { return s == "mem" })
}

// CheckURL refuses a URL that Open would refuse in any case: its scheme is not one of Schemes, or
// it names no bucket.
func CheckURL(address string) error {
	u, err := url.Parse(address)
	if err != nil {
		return fmt.Errorf("URL of the checkpoints' bucket: %w", err)
	}
	if tag, known := optional[u.Scheme]; known && !slices.Contains(Schemes(), u.Scheme) {
		return fmt.Errorf("%q is not allowed: this binary can't open %s://, build it with `make build TAGS=%s` (it opens %s)",
			address, u.Scheme, tag, spelledSchemes())
	}
	named := u.Host != "" || u.Scheme == "file" && u.Path != ""
	if !slices.Contains(Schemes(), u.Scheme) || !named {
		return fmt.Errorf("%q is not allowed: want %s", address, spelledSchemes())
	}
	return nil
}

func spelledSchemes() string { return strings.Join(Schemes(), "://… or ") + "://…" }
