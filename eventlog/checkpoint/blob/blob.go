// Package blob keeps shared checkpoints in a directory or an object store: one object for each
// checkpoint, named by its position, with all dashboards of the shard.
//
//	store, err := blob.Open(ctx, blob.Config{
//		URL:    "s3://bucket?region=eu-central-1",      // or another scheme of Schemes
//		Prefix: func(shard int) (string, error) { … }, // acme/3
//		Shared: shared.Default("/var/lib/dashfeed/scratch"),
//	})
//
// Guarantees:
//
//  1. An object is visible whole or not at all; if one does not match its CRC-32C, the previous one
//     is used.
//  2. The greatest position counts. Only objects below two whole ones are deleted, so two processes
//     may both write, even at the same position.
//  3. Reads and writes are streams: an object is never in memory as a whole. In a directory it is
//     synced before it counts.
//
// A checkpoint writes the whole shard, even if little changed: that suits shards of some tens of
// MB, or rare checkpoints. eventlog/checkpoint/pulsar writes changes only.
package blob

import (
	"context"
	"errors"
	"fmt"
	"net/url"

	gocloud "gocloud.dev/blob"
	_ "gocloud.dev/blob/fileblob" // file://
	_ "gocloud.dev/blob/s3blob"   // s3://

	"github.com/dashfeed/dashfeed/eventlog/checkpoint/shared"
)

// Config says where the objects are.
type Config struct {
	// URL is the bucket, with a scheme of Schemes: s3://, gs://, azblob:// as gocloud.dev/blob
	// reads them, with credentials from the environment, or file:///a/directory, which all nodes
	// mount; a missing directory is created.
	URL string
	// Prefix returns the first part of the names of the shard's objects: the same in all processes,
	// and different for every shard.
	Prefix func(shard int) (string, error)
	Shared shared.Config
}

// Validate reports every field that is out of its range.
func (c Config) Validate() error {
	err := c.Shared.Validate()
	if bad := CheckURL(c.URL); bad != nil {
		err = errors.Join(fmt.Errorf("URL of the checkpoints' bucket: %w", bad), err)
	}
	if c.Prefix == nil {
		err = errors.Join(errors.New("prefix of the shards' checkpoints is missing"), err)
	}
	return err
}

// Open opens the bucket and the scratch store.
func Open(ctx context.Context, c Config) (*shared.Store, error) {
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("open checkpoints: %w", err)
	}
	address, err := bucketURL(c.URL)
	if err != nil {
		return nil, fmt.Errorf("open checkpoints: %w", err)
	}
	bucket, err := gocloud.OpenBucket(ctx, address)
	if err != nil {
		return nil, fmt.Errorf("open checkpoints in %s: %w", c.URL, err)
	}
	return openBucket(c, bucket)
}

func openBucket(c Config, bucket *gocloud.Bucket) (*shared.Store, error) {
	store, err := shared.Open(c.Shared, &place{bucket: bucket, prefix: c.Prefix})
	if err != nil {
		return nil, errors.Join(err, bucket.Close())
	}
	return store, nil
}

// bucketURL asks the library to create a missing directory, to write temporary files inside it,
// since a rename works within one volume only, and to write no attribute files.
func bucketURL(address string) (string, error) {
	u, err := url.Parse(address)
	if err != nil {
		return "", fmt.Errorf("URL of the checkpoints' bucket: %w", err)
	}
	if u.Scheme != "file" {
		return address, nil
	}
	q := u.Query()
	for name, value := range map[string]string{"create_dir": "true", "no_tmp_dir": "true", "metadata": "skip", "dir_file_mode": "0750"} {
		if !q.Has(name) {
			q.Set(name, value)
		}
	}
	u.RawQuery = q.Encode()
	return u.String(), nil
}
