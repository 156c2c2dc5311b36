package token

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

const (
	mostKeyBytes = 1 << 20 // of a file of keys, and of a key set
	mostKeys     = 100     // of one issuer
)

// readStatic reads the keys of an entry that has files or a secret, and their bytes, by which a
// change is noticed.
func (k Key) readStatic() (*keySet, []byte, error) {
	if k.Secret != "" {
		secret, found := os.LookupEnv(k.Secret)
		if !found {
			return nil, nil, fmt.Errorf("the environment has no variable %s", k.Secret)
		}
		one, err := newKey("", []byte(secret), k.Algorithms)
		return &keySet{[]key{one}}, nil, err
	}
	var all keySet
	var content []byte
	paths, err := expand(k.Files)
	if err != nil {
		return nil, nil, err
	}
	for _, path := range paths {
		text, err := readFile(path)
		if err != nil {
			return nil, nil, fmt.Errorf("read key: %w", err)
		}
		keys, err := k.parseFile(text)
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", path, err)
		}
		all.keys = append(all.keys, keys...)
		content = append(append(content, text...), 0)
	}
	if len(all.keys) > mostTries {
		return nil, nil, fmt.Errorf("there are %d keys, at most %d are allowed: no token says which of them signed it", len(all.keys), mostTries)
	}
	return &all, content, k.unused(&all)
}

// unused returns an error if an algorithm fits none of the keys: the operator means another key.
func (k Key) unused(all *keySet) error {
	for _, a := range k.Algorithms {
		if values, _ := all.fitting("", a); len(values) == 0 {
			return fmt.Errorf("no key signs with %s", a)
		}
	}
	return nil
}

// expand returns the files that the paths name. A pattern that matches no file is an error.
func expand(patterns []string) (paths []string, err error) {
	for _, p := range patterns {
		if !strings.Contains(p, "*") {
			paths = append(paths, p)
			continue
		}
		found, err := filepath.Glob(p)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p, err)
		}
		if len(found) == 0 {
			return nil, fmt.Errorf("%s matches no file", p)
		}
		paths = append(paths, found...)
	}
	return paths, nil
}

func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, mostKeyBytes+1))
	if err == nil && len(text) > mostKeyBytes {
		err = fmt.Errorf("%s has more than %d bytes", path, mostKeyBytes)
	}
	return text, err
}

// parseFile returns the keys of one file.
func (k Key) parseFile(text []byte) ([]key, error) {
	if symmetric(k.Algorithms[0]) {
		// everybody knows a public key: whoever took it for a secret could sign
		if bytes.HasPrefix(bytes.TrimSpace(text), []byte("-----BEGIN ")) {
			return nil, fmt.Errorf("this is a PEM file, and %s needs a file whose bytes are the secret", k.Algorithms[0])
		}
		one, err := newKey("", text, k.Algorithms)
		return []key{one}, err
	}
	var keys []key
	for blocks := 0; ; blocks++ {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			break
		}
		value, err := parseBlock(block, blocks == 0)
		if err != nil {
			return nil, err
		}
		if value == nil {
			continue
		}
		one, err := newKey("", value, k.Algorithms)
		if err != nil {
			return nil, err
		}
		keys = append(keys, one)
	}
	if len(keys) == 0 {
		return nil, errors.New("there is no public key and no certificate in it: want PEM")
	}
	if len(bytes.TrimSpace(text)) > 0 {
		return nil, errors.New("there is something behind its last key that is no PEM")
	}
	return keys, nil
}

// parseBlock returns the public key of a PEM block; nil if it is the certificate of an authority
// behind another one, which signs certificates and no tokens.
func parseBlock(block *pem.Block, first bool) (any, error) {
	switch {
	case block.Type == "PUBLIC KEY":
		return x509.ParsePKIXPublicKey(block.Bytes)
	case block.Type == "RSA PUBLIC KEY":
		return x509.ParsePKCS1PublicKey(block.Bytes)
	case block.Type == "CERTIFICATE":
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil || c.IsCA && !first {
			return nil, err
		}
		return c.PublicKey, nil
	case strings.HasSuffix(block.Type, "PRIVATE KEY"):
		return nil, errors.New("this is a private key: the server needs the public one only")
	}
	return nil, fmt.Errorf("%.40q is not allowed in it: want PUBLIC KEY or CERTIFICATE", block.Type)
}
