package token

import (
	"bytes"
	"context"
	"time"
)

// rereadEvery is how often files of keys are read again: some are replaced by renaming a directory
// above them, which no watch of the file itself would see.
const rereadEvery = 10 * time.Second

// followFiles reads the files of keys again, until ctx ends.
func (v *Verifier) followFiles(ctx context.Context) {
	tick := time.NewTicker(rereadEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		for _, is := range v.issuers {
			if len(is.Files) == 0 {
				continue
			}
			was, before := is.keys.Load(), is.failed()
			switch err := is.readAgain(); {
			case err != nil && before == nil:
				v.logger.Error("keys can't be read again; those of before are used", "issuer", is.Issuer, "error", err)
			case is.keys.Load() != was:
				v.logger.Info("keys were read again", "issuer", is.Issuer, "keys", len(is.keys.Load().keys))
			}
		}
	}
}

// readAgain reads the keys of files or of the environment. After an error the keys of before
// stay.
func (is *issuer) readAgain() error {
	keys, content, err := is.readStatic()
	is.trouble.Store(&err)
	if err == nil && (is.keys.Load() == nil || !bytes.Equal(content, is.content)) {
		is.content = content
		is.keys.Store(keys)
	}
	return err
}

func (is *issuer) failed() error {
	if err := is.trouble.Load(); err != nil {
		return *err
	}
	return nil
}
